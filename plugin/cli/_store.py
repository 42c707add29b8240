"""The database without an engine, for commands that need neither a model nor turns."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from empathy_r1.plugin.errors import StorageUnavailableError
from empathy_r1.plugin.settings import Settings
from empathy_r1.storage import Database, migrate

T = TypeVar("T")


def with_database(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    """Does `work` on the settings' database, once its schema fits.

    Raises:
        StorageError: the database cannot be reached, or its schema does not fit.
        StorageUnavailableError: it stopped answering.
    """

    async def run() -> T:
        await migrate.upgrade(settings.database_url)
        database = Database(settings.database_url)
        try:
            return await work(database)
        except (SQLAlchemyError, OSError) as error:
            raise StorageUnavailableError(type(error).__name__) from error
        finally:
            await database.close()

    return asyncio.run(run())
