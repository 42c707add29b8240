"""One owner at a time."""

import asyncio

from empathy_r1.storage import leases


async def test_one_owner_until_it_gives_the_lease_back(store):
    assert await leases.take(store.db, "sweep", "a", 60)
    assert await leases.take(store.db, "sweep", "a", 60)
    assert not await leases.take(store.db, "sweep", "b", 60)
    assert await leases.take(store.db, "other", "b", 60)
    await leases.give(store.db, "sweep", "b")
    assert not await leases.take(store.db, "sweep", "b", 60)
    await leases.give(store.db, "sweep", "a")
    assert await leases.take(store.db, "sweep", "b", 60)


async def test_a_lease_ends_by_itself(store):
    assert await leases.take(store.db, "sweep", "a", -1)
    assert await leases.take(store.db, "sweep", "b", 60)


async def test_of_many_who_ask_at_once_one_gets_it(store):
    taken = await asyncio.gather(*(leases.take(store.db, "sweep", f"o{n}", 60) for n in range(8)))
    assert sum(taken) == 1
