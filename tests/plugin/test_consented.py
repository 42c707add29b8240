"""Talks leave for training with the person's consent only, on both databases."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from empathy_r1.plugin import consented
from empathy_r1.plugin.cli import app
from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.settings import Settings
from empathy_r1.storage import Consents, erasure
from empathy_r1.storage.audit import entries
from empathy_r1.storage.consents import TRAINING
from empathy_r1.storage.crypto import new_key
from empathy_r1.storage.tables import SessionRow, TurnRow
from empathy_r1.training.data.clean import build, scrub
from empathy_r1.training.data.questions import read

from support.models import ZH_CHAIN, ScriptedModel
from support.stores import Store

POST = "我叫林小满，电话13912345678。第三次面试又挂了，走到最后一轮才被拒，晚上一直睡不着。"
REPLY = (
    "走到最后一轮才被拒，这份落空比一开始就没有希望更磨人。你为这三次准备花了多少心思，别人看不见，我想先替你记下来。"
    "夜里翻来覆去，脑子停不下来，也许是白天一直在撑着。没有通过，说的是那个位置，不是你这个人。"
    "如果愿意，可以讲讲最后那一轮里，哪一句话一直留在你心里。"
)
CRISIS = "我不想活了，今晚就去跳楼"


@pytest.fixture
async def store(database_url):
    store = await Store.open(database_url)
    yield store
    await store.db.close()


@pytest.fixture
def consents(store):
    return Consents(store.db)


@pytest.fixture
def exported(store, tmp_path):
    """Exports, and gives the counts and the lines."""

    async def run(tenant="default", **options):
        out = tmp_path / "own.jsonl"
        told = await consented.export(
            store.db, store.ring, out, tenant=tenant, scrub=scrub, actor="operator", **options
        )
        return told, [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]

    return run


async def agreed(store, consents, given=(True,), **options):
    session = await store.session(**options)
    await store.talk(session, POST, REPLY)
    for decision in given:
        await consents.record(session, TRAINING, "1", given=decision, actor="token")
    return session


async def test_only_talks_whose_newest_decision_is_a_yes_are_written(store, consents, exported):
    await agreed(store, consents)
    for decisions in [(), (False,), (True, False)]:
        await agreed(store, consents, decisions)
    again = await agreed(store, consents, (True, False, True))
    other = await store.session()
    await store.talk(other, POST, REPLY)
    await consents.record(other, "research", "1", given=True, actor="token")
    told, lines = await exported()
    assert told == {"sessions": 2, "turns": 2, "crisis_turns": 0, "minors": 0, "scrubbed": 4}
    assert len(lines) == 2
    await consents.record(again, TRAINING, "1", given=False, actor="token")
    told, lines = await exported()
    assert told["sessions"] == len(lines) == 1


async def test_an_erased_talk_is_gone_from_the_next_export(store, consents, exported, tmp_path):
    session = await agreed(store, consents)
    assert (await exported())[0]["sessions"] == 1
    await erasure.erase(store.db, [session], tenant="default", actor="token")
    told, lines = await exported()
    assert told["sessions"] == 0
    assert lines == []
    assert [path.name for path in tmp_path.glob("own*")] == ["own.jsonl"]


async def test_a_user_who_withdraws_takes_back_all_of_their_talks(store, consents, exported):
    first = await agreed(store, consents, user="u1")
    await agreed(store, consents, (), user="u1")
    assert (await exported())[0]["sessions"] == 2
    await consents.record(first, TRAINING, "1", given=False, actor="host")
    assert (await exported())[0]["sessions"] == 0


async def test_consent_that_is_withdrawn_while_others_are_read_holds(store, consents, exported, monkeypatch):
    session = await agreed(store, consents)

    async def withdrawing(self, session_id):
        found = await whole(self, session_id)
        await consents.record(session, TRAINING, "1", given=False, actor="token")
        return found

    whole = consented.Journal.of_session
    monkeypatch.setattr(consented.Journal, "of_session", withdrawing)
    told, lines = await exported()
    assert told["sessions"] == 0
    assert lines == []


async def test_other_tenants_and_minors_stay_out(store, consents, exported):
    await agreed(store, consents, tenant="clinic")
    minor = await agreed(store, consents)
    await store.set(SessionRow, {"minor": True}, SessionRow.id == minor)
    told, _ = await exported()
    assert (told["sessions"], told["minors"]) == (0, 1)
    assert (await exported("clinic"))[0]["sessions"] == 1


async def test_no_person_and_no_session_id_is_in_the_file_and_every_session_is_in_the_audit_log(
    store, consents, exported, tmp_path
):
    session = await agreed(store, consents)
    _, (line,) = await exported()
    whole = json.dumps(line, ensure_ascii=False)
    assert "林小满" not in whole
    assert "13912345678" not in whole
    assert session not in whole
    assert line["dialogue"][0]["text"].startswith("我叫【名字】，电话【电话】。")
    assert (tmp_path / "own.jsonl").stat().st_mode & 0o777 == 0o600
    found = [e for e in await entries(store.db, subject=session) if e.action == consented.ACTION]
    assert [(e.actor, e.tenant, e.counts) for e in found] == [("operator", "default", {"turns": 1})]


async def test_turns_of_a_crisis_stay_out_unless_they_are_asked_for(store, consents, exported):
    seen = await agreed(store, consents)
    await store.set(TurnRow, {"level": "imminent"}, TurnRow.session_id == seen)
    missed = await store.session()  # today's screen sees what that of its day did not
    await store.talk(missed, CRISIS, REPLY)
    await consents.record(missed, TRAINING, "1", given=True, actor="token")
    told, lines = await exported()
    assert (told["sessions"], told["crisis_turns"]) == (0, 2)
    assert lines == []
    assert (await exported(crises=True))[0]["turns"] == 2


async def test_a_reply_that_no_model_wrote_and_a_turn_that_failed_are_not_learnt(store, consents, exported):
    fixed = await agreed(store, consents)
    await store.set(TurnRow, {"degraded": "fixed"}, TurnRow.session_id == fixed)
    failed = await agreed(store, consents)
    await store.set(TurnRow, {"status": "failed"}, TurnRow.session_id == failed)
    _, (line,) = await exported()
    assert [turn["role"] for turn in line["dialogue"]] == ["user"]


async def test_the_command_exports_what_the_engine_wrote_and_cleaning_reads_it(tmp_path, monkeypatch, database_url):
    ring = new_key("t")
    given = {"database_url": database_url, "data_dir": tmp_path, "encryption_keys": ring}
    script = {**ZH_CHAIN, "response": REPLY}
    async with EmpathyEngine.open(Settings(**given), model=ScriptedModel(script=script)) as engine:
        for agrees in (True, False):
            session = await engine.create_session(locale="zh")
            await engine.turn(session.session_id, POST)
            if agrees:
                await engine.custody.consent(session.session_id, TRAINING, "1", given=True)
    for name, value in given.items():
        monkeypatch.setenv(f"EMPATHY_R1_{name.upper()}", str(value))
    out = tmp_path / "own.jsonl"
    done = await asyncio.to_thread(CliRunner().invoke, app, ["data", "export", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["sessions"] == 1
    (question,) = read(out)
    assert len(question["answers"]) == 1
    assert build([question], tmp_path / "clean")["answers"] == 1
