"""Keys change while the service runs: every field moves to the first key, whenever a rotation is stopped."""

import asyncio
import contextlib

import pytest
from sqlalchemy import LargeBinary, select

from empathy_r1.storage import KeyRing, rotation
from empathy_r1.storage.crypto import new_key
from empathy_r1.storage.errors import KeyRingError
from empathy_r1.storage.rotation import SEALED, keys_in_use, rotate
from empathy_r1.storage.tables import Base, TurnRow

from support.stores import Store

FIELDS = 1 + 3 * (2 + 1 + 2)
"""Of one session with metadata and three turns: post, reply, a stage, two events."""


async def filled(store, **kind):
    session = await store.session(metadata={"note": "n"})
    await store.talk(session, "一段话 a post", "一个回复 a reply", turns=3)
    return session


def test_every_sealed_column_is_rotated():
    sealed = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    assert {f"{column.class_.__tablename__}.{column.key}" for column, _ in SEALED} == sealed


async def test_after_a_rotation_the_old_key_is_not_needed(store):
    session = await filled(store)
    new = new_key("new")
    assert await keys_in_use(store.db) == {"k1": FIELDS}
    done = await rotate(store.db, KeyRing(f"{new},{store.keys}"), batch=2)
    assert sum(done.values()) == FIELDS
    assert await keys_in_use(store.db) == {"new": FIELDS}
    after = Store(store.address, new)
    turns = await after.journal.of_session(session)
    assert [(turn.post, turn.reply) for turn in turns] == [("一段话 a post", "一个回复 a reply")] * 3
    assert await after.journal.stages(turns[0].id) == {"emotion": "一段话 a post"}
    assert await after.journal.events(turns[0].id, 0) == [{"seq": 1}, {"seq": 2}]
    assert (await after.sessions.get(session)).metadata == {"note": "n"}
    with pytest.raises(KeyRingError):
        await store.journal.of_session(session)
    await after.db.close()
    assert await rotate(store.db, KeyRing(f"{new},{store.keys}")) == {}


async def test_a_rotation_that_is_stopped_goes_on_where_it_was(store):
    await filled(store)
    ring = KeyRing(f"{new_key('new')},{store.keys}")
    seals, plain = [], KeyRing.seal

    def stopping(self, text, where):
        if len(seals) == 7:
            raise ConnectionError
        seals.append(where)
        return plain(self, text, where)

    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(ConnectionError):
        patch.setattr(KeyRing, "seal", stopping)
        await rotate(store.db, ring, batch=2)
    between = await keys_in_use(store.db)
    assert between["k1"] + between["new"] == FIELDS
    assert 0 < between["new"] <= 7
    assert sum((await rotate(store.db, ring)).values()) == between["k1"]
    assert await keys_in_use(store.db) == {"new": FIELDS}


async def test_the_service_goes_on_while_keys_rotate(store):
    """Writers under the new first key, and readers, beside the rotation: nobody's text is lost or changed."""
    for _ in range(5):
        await filled(store)
    ring = f"{new_key('new')},{store.keys}"
    working = Store(store.address, ring)

    async def work():
        sessions = []
        for number in range(10):
            sessions.append(await working.session(metadata={"number": number}))
            await working.talk(sessions[-1], f"post {number}", f"reply {number}", turns=2)
            await working.journal.of_session(sessions[0])
        return sessions

    _, sessions = await asyncio.gather(rotate(store.db, KeyRing(ring), batch=1), work())
    assert set(await keys_in_use(store.db)) == {"new"}
    for number, session in enumerate(sessions):
        assert {turn.post for turn in await working.journal.of_session(session)} == {f"post {number}"}
    await working.db.close()


async def test_a_field_that_changes_under_the_rotation_is_left_alone(store, monkeypatch):
    await filled(store)
    ring = KeyRing(f"{new_key('new')},{store.keys}")
    async with store.db.read() as db:
        turn = (await db.scalars(select(TurnRow.id))).first()
    plain = rotation._rotate_column

    async def late(database, ring, column, place, batch):
        if column.key == "reply_sealed":
            fresh = ring.seal("newer", f"turns.reply:{turn}")
            await store.set(TurnRow, {"reply_sealed": fresh}, TurnRow.id == turn)
        return await plain(database, ring, column, place, batch)

    monkeypatch.setattr(rotation, "_rotate_column", late)
    await rotate(store.db, ring)
    async with store.db.read() as db:
        kept = await db.scalar(select(TurnRow.reply_sealed).where(TurnRow.id == turn))
    assert ring.open(kept, f"turns.reply:{turn}") == "newer"


async def test_a_ring_that_lacks_the_old_key_says_so(store):
    await filled(store)
    with pytest.raises(KeyRingError, match="'k1', which the ring lacks"):
        await rotate(store.db, KeyRing(new_key("new")))
    assert await keys_in_use(store.db) == {"k1": FIELDS}
