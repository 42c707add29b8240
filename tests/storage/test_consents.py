"""Consent: off until given, withdrawn for good, one decision for all sessions of a host's user."""

from empathy_r1.storage import Consents
from empathy_r1.storage.audit import entries
from empathy_r1.storage.consents import TRAINING
from empathy_r1.storage.erasure import erase


async def decide(store, session, *given, version="2026-01"):
    for one in given:
        assert await Consents(store.db).record(session, TRAINING, version, given=one, actor="token")


async def test_nobody_has_agreed_until_they_do(store):
    session, ledger = await store.session(), Consents(store.db)
    assert await ledger.of_session(session) == []
    assert await ledger.sessions_with(TRAINING) == []
    await decide(store, session, True)
    assert await ledger.sessions_with(TRAINING) == [session]
    await decide(store, session, False, version="2026-02")
    assert await ledger.sessions_with(TRAINING) == []
    assert [(e.version, e.given) for e in await ledger.of_session(session)] == [("2026-01", True), ("2026-02", False)]
    assert [e.action for e in await entries(store.db)] == ["consent.given", "consent.withdrawn"]


async def test_purposes_are_apart(store):
    session, ledger = await store.session(), Consents(store.db)
    await ledger.record(session, "service", "1", given=True, actor="token")
    assert await ledger.sessions_with(TRAINING) == []
    assert await ledger.sessions_with("service") == [session]


async def test_a_user_decides_for_all_of_their_sessions_and_for_nobody_elses(store):
    first, second = await store.session(user="ann"), await store.session(user="ann")
    await store.session(user="bob")
    await store.session(user="ann", tenant="other")
    await store.session()
    await decide(store, first, True)
    assert await Consents(store.db).sessions_with(TRAINING) == sorted([first, second])
    await decide(store, second, False)
    assert await Consents(store.db).sessions_with(TRAINING) == []
    assert [e.given for e in await Consents(store.db).of_session(first)] == [True, False]


async def test_a_withdrawal_outlives_the_session_in_which_it_was_said(store):
    first, second = await store.session(user="ann"), await store.session(user="ann")
    await decide(store, first, True)
    await decide(store, second, False)
    await erase(store.db, [second], tenant="default", actor="token")
    assert await Consents(store.db).sessions_with(TRAINING) == []
    assert [e.given for e in await Consents(store.db).of_session(first)] == [True, False]


async def test_the_ledger_goes_with_the_last_session(store):
    first, second, lone = await store.session(user="ann"), await store.session(user="ann"), await store.session()
    await decide(store, first, True)
    await decide(store, lone, True)
    assert (await erase(store.db, [lone], tenant="default", actor="token")).rows["consents"] == 1
    assert (await erase(store.db, [second], tenant="default", actor="token")).rows["consents"] == 0
    assert (await erase(store.db, [first], tenant="default", actor="token")).rows["consents"] == 1


async def test_no_session_no_entry(store):
    assert await Consents(store.db).record("s_none", TRAINING, "1", given=True, actor="token") is None
    assert await entries(store.db) == []
