"""A tenant's rate: so many at once, then one after each step, and exactly so many when processes race."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from empathy_r1.storage import Database, rates
from empathy_r1.storage.registers import RateRow


async def take(database, tenant, per_minute, now):
    return await database.run(lambda db: rates.count(db, tenant, per_minute, now=now))


async def test_a_rate_allows_a_burst_and_then_its_pace(store):
    assert [await take(store.db, "a", 3, 1000.0) for _ in range(4)] == [0, 0, 0, 20.0]
    assert await take(store.db, "b", 3, 1000.0) == 0
    assert await take(store.db, "a", 3, 1019.0) == 1.0
    assert await take(store.db, "a", 3, 1020.0) == 0
    assert await take(store.db, "a", 3, 1020.0) == 20.0


async def test_posts_that_race_are_counted_once_each(store):
    other = Database(store.address)
    takes = [take(database, "a", 10, 5000.0) for _ in range(10) for database in (store.db, other)]
    allowed = [wait for wait in await asyncio.gather(*takes) if not wait]
    await other.close()
    assert len(allowed) == 10


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 30), st.lists(st.floats(0, 20), min_size=1, max_size=40))
def test_no_minute_sees_more_than_twice_the_rate(per_minute, gaps):
    engine, now, times = create_engine("sqlite://"), 1e9, []
    with engine.begin() as db:
        RateRow.__table__.create(db)
        for gap in gaps:
            now += gap
            if not rates.count(db, "a", per_minute, now=now):
                times.append(now)
    engine.dispose()
    for start in times:
        assert sum(start <= t < start + 60 for t in times) <= 2 * per_minute
    assert len(times) >= min(len(gaps), per_minute)
