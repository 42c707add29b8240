"""Statements that are handed to the driver: the same in, the same out, the same errors as by SQLAlchemy's own way."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import bindparam, func, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from empathy_r1.storage.made import Made, driver_of, journey, last
from empathy_r1.storage.tables import SessionRow

TABLE = SessionRow.__table__
OF_ID = select(TABLE).where(TABLE.c.id == bindparam("b_id"))
TOUCH = update(TABLE).where(TABLE.c.id == bindparam("b_id"))
NOW = datetime(2026, 3, 1, 9, 30, 0, 250, tzinfo=UTC)


@pytest.fixture
async def session(store):
    talk = {"tenant": "t", "token": "k", "locale": "zh", "region": None, "external_user": None, "metadata": {"a": 1}}
    await store.sessions.create("s", double_texting="enqueue", **talk)
    return "s"


@pytest.mark.parametrize("crisis", [None, {"step": 2, "said": ["你好", None]}])
@pytest.mark.parametrize("moment", [NOW, NOW.replace(microsecond=0)])
async def test_what_is_written_one_way_is_read_the_other_way(store, session, crisis, moment):
    change = TOUCH.values(crisis=bindparam("b_crisis"), last_active=bindparam("b_now"), minor=bindparam("b_minor"))
    given = {"b_id": session, "b_crisis": crisis, "b_now": moment, "b_minor": True}
    of_id = Made(OF_ID)
    for write in (lambda db: Made(change).send(db, given).changed, lambda db: db.execute(change, given).rowcount):
        assert await store.db.run(write) == 1
        read = await store.db.run(lambda db: db.execute(OF_ID, {"b_id": session}).mappings().first(), reading=True)
        found = await store.db.run(lambda db: of_id.send(db, {"b_id": session}).first(), reading=True)
        assert found == dict(read)
        assert (found["crisis"], found["last_active"], found["minor"]) == (crisis, moment, True)


async def test_a_statement_that_finds_nothing(store):
    of_id, change = Made(OF_ID), Made(TOUCH.values(locale="en"))
    assert await store.db.run(lambda db: of_id.send(db, {"b_id": "none"}).first()) is None
    assert await store.db.run(lambda db: of_id.send(db, {"b_id": "none"}).rows()) == []
    assert await store.db.run(lambda db: change.send(db, {"b_id": "none"}).changed) == 0


async def test_a_parameter_that_is_forgotten_is_missed(store):
    with pytest.raises(Exception, match="b_id"):
        await store.db.run(lambda db: Made(OF_ID).send(db, {}))


async def test_what_goes_on_one_journey_sees_what_went_before(store, session):
    change, count = Made(TOUCH.values(locale="en")), Made(select(func.count().label("n")).where(TABLE.c.locale == "en"))

    def work(db):
        with journey(db):
            changed, counted = change.send(db, {"b_id": session}), count.send(db, {})
        return changed.changed, counted.rows()

    assert await store.db.run(work) == (1, [{"n": 1}])


@pytest.mark.parametrize("ends", ["in the middle", "at the end"])
async def test_an_error_is_sqlalchemys_and_undoes_all(store, session, ends):
    insert = Made(TABLE.insert(), [c.name for c in TABLE.columns])

    def work(db):
        row = dict(db.execute(OF_ID, {"b_id": session}).mappings().one())
        if ends == "in the middle":
            insert.send_all(db, [row | {"id": "other"}, row])
        else:
            with last(db):
                insert.send_all(db, [row | {"id": "other"}, row])

    with pytest.raises(IntegrityError) as error:
        await store.db.run(work)
    assert not error.value.connection_invalidated
    assert await store.sessions.get("other") is None


async def test_a_connection_that_breaks_is_replaced(store, session):
    if not store.address.startswith("postgresql"):
        pytest.skip("SQLite has no connections that break")
    with pytest.raises(DBAPIError) as error:
        await store.db.run(lambda db: (_end(db, driver_of(db).info.backend_pid), Made(OF_ID).send(db, {"b_id": "s"})))
    assert error.value.connection_invalidated
    assert (await store.sessions.get(session)).id == session


def _end(db, pid):
    with db.engine.connect() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
