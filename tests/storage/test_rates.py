"""A tenant's rate: so many at once, then one after each step, and exactly so many when processes race."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from empathy_r1.storage import Database, Rates, migrate


async def test_a_rate_allows_a_burst_and_then_its_pace(store):
    rates = Rates(store.db)
    assert [await rates.take("a", 3, now=1000.0) for _ in range(4)] == [0, 0, 0, 20.0]
    assert await rates.take("b", 3, now=1000.0) == 0
    assert await rates.take("a", 3, now=1019.0) == 1.0
    assert await rates.take("a", 3, now=1020.0) == 0
    assert await rates.take("a", 3, now=1020.0) == 20.0


async def test_posts_that_race_are_counted_once_each(store):
    other = Database(store.address)
    takes = [Rates(db).take("a", 10, now=5000.0) for _ in range(10) for db in (store.db, other)]
    allowed = [wait for wait in await asyncio.gather(*takes) if not wait]
    await other.close()
    assert len(allowed) == 10


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 30), st.lists(st.floats(0, 20), min_size=1, max_size=40))
def test_no_minute_sees_more_than_twice_the_rate(tmp_path_factory, per_minute, gaps):
    async def run():
        address = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('rates')}/r.db"
        await migrate.upgrade(address)
        db, now, times = Database(address), 1e9, []
        for gap in gaps:
            now += gap
            if not await Rates(db).take("a", per_minute, now=now):
                times.append(now)
        await db.close()
        return times

    times = asyncio.run(run())
    for start in times:
        assert sum(start <= t < start + 60 for t in times) <= 2 * per_minute
    assert len(times) >= min(len(gaps), per_minute)
