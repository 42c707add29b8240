"""LangGraph's own checkpointers keep a run over a kill, encrypted, for hosts that embed the graph alone."""

import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer

from empathy_r1.graph import Context, build_graph, wire

from support.databases import wait_until
from support.models import ZH_CHAIN, ScriptedModel
from support.posts import POST

KEY = b"0123456789abcdef"
THREAD = {"configurable": {"thread_id": "person-1"}}


@asynccontextmanager
async def saver(address):
    """The checkpointer of the address's database, with its encrypted serializer."""
    serde = EncryptedSerializer.from_pycryptodome_aes(key=KEY)
    if address.startswith("sqlite"):
        import aiosqlite
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

        async with aiosqlite.connect(address.partition("///")[2]) as connection:
            yield AsyncSqliteSaver(connection, serde=serde)
        return
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

    async with AsyncPostgresSaver.from_conn_string(address.replace("+psycopg", ""), serde=serde) as found:
        await found.setup()
        yield found


class Stuck(ScriptedModel):
    """Writes two sections, says so in a file, and then nothing more."""

    note: str

    async def _astream(self, messages, *given, **more):
        async for chunk in super()._astream(messages, *given, **more):
            if messages[-1].text.endswith(wire.open_tag("intention")):
                import asyncio

                Path(self.note).write_text("stuck")
                await asyncio.sleep(600)
            yield chunk


async def run_until_killed(address, note):
    """What the process does that is going to be killed."""
    async with saver(address) as checkpointer:
        graph = build_graph().compile(checkpointer=checkpointer)
        context = Context(model=Stuck(script=ZH_CHAIN, note=note))
        await graph.ainvoke({"messages": [HumanMessage(POST)]}, THREAD, context=context, durability="sync")


@pytest.fixture
def require_savers(database_url):
    pytest.importorskip("Crypto")
    kind = "sqlite" if database_url.startswith("sqlite") else "postgres"
    pytest.importorskip(f"langgraph.checkpoint.{kind}")
    return kind


async def test_a_run_goes_on_after_a_kill(database_url, tmp_path, require_savers):
    note = tmp_path / "note"
    here = Path(__file__)
    code = f"""
import asyncio, importlib.util, sys
sys.path.insert(0, {str(here.parents[1])!r})
spec = importlib.util.spec_from_file_location("killed", {str(here)!r})
module = importlib.util.module_from_spec(spec)
sys.modules["killed"] = module
spec.loader.exec_module(module)
asyncio.run(module.run_until_killed({database_url!r}, {str(note)!r}))
"""
    child = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "LANGGRAPH_STRICT_MSGPACK": "true"})
    try:
        wait_until(lambda: note.exists() or child.poll() is not None, 240)
        assert child.poll() is None
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()

    model = ScriptedModel(script=ZH_CHAIN)
    async with saver(database_url) as checkpointer:
        graph = build_graph().compile(checkpointer=checkpointer)
        held = await graph.aget_state(THREAD)
        assert held.next == ("intention",)
        final = await graph.ainvoke(None, THREAD, context=Context(model=model))
    assert final["messages"][-1].text == ZH_CHAIN["response"]
    assert not any(messages[-1].text == wire.open_tag("emotion") for messages in model.asked)
    assert len(model.asked) == 2
    if require_savers == "sqlite":
        raw = b"".join(path.read_bytes() for path in tmp_path.glob("test.db*"))
        assert not any(text.encode() in raw for text in (POST, ZH_CHAIN["cause"], ZH_CHAIN["response"]))
