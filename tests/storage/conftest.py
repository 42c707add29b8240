"""A store on each database."""

import pytest

from support.stores import Store


@pytest.fixture
async def store(database_url):
    store = await Store.open(database_url)
    yield store
    await store.db.close()
