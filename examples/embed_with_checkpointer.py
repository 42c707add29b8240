"""A conversation that LangGraph's own SQLite checkpointer keeps: the second run goes on where the first stopped.

Run: pip install langgraph-checkpoint-sqlite && python examples/embed_with_checkpointer.py
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from empathy_r1.graph import Context, build_graph


async def say(path: Path, text: str) -> str:
    async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
        graph = build_graph().compile(checkpointer=saver)
        config = {"configurable": {"thread_id": "visitor-1"}}
        result = await graph.ainvoke({"messages": [("user", text)]}, config, context=Context(locale="en"))
        print(f"> {text}\n{result['messages'][-1].text}\n")
        return f"{len(result['messages'])} messages are kept"


async def main(path: Path) -> None:
    await say(
        path,
        "I moved to this city four months ago for a job and I have not made a single friend. At work everybody "
        "already has their people. I eat lunch in my car so that nobody sees me alone, and at night I ring my "
        "sister and tell her it is all going well. I feel stupid for lying about it and so tired of weekends.",
    )
    print(await say(path, "Thank you. How could I tell my sister the truth?"))


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp()) / "conversations.db"
    asyncio.run(main(where))
