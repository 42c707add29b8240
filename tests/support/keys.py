"""API keys for tests, made as the operator makes them."""

from contextlib import asynccontextmanager

from empathy_r1.storage import ApiKeys, Database
from empathy_r1.storage.keys import SCOPES


@asynccontextmanager
async def opened(settings):
    """The keys in the settings' database."""
    database = Database(settings.database_url)
    try:
        yield ApiKeys(database)
    finally:
        await database.close()


async def key(settings, tenant, *scopes):
    """Headers that show a new key of the tenant; with all scopes where none is named."""
    async with opened(settings) as keys:
        _, secret = await keys.create(tenant, scopes or SCOPES)
    return {"Authorization": f"Bearer {secret}"}
