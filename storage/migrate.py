"""Migrations: the schema's revisions ship in the package and run under one lock."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from empathy_r1.storage.database import Database
from empathy_r1.storage.errors import SchemaError, StorageError

_LOCK = 0x656D7061
"""Key of PostgreSQL's advisory lock: of several processes that start together, one migrates and the rest wait."""


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """The revision that this code works on."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


async def upgrade(address: str) -> str:
    """Brings the schema to `head()` and returns it.

    Raises:
        StorageError: the database cannot be reached.
    """
    return await _on(address, _upgrade)


async def check(address: str) -> None:
    """Checks that this code can work on the schema.

    Raises:
        SchemaError: the schema is missing, older or newer.
        StorageError: the database cannot be reached.
    """
    current = await _on(address, _current)
    if current != head():
        state = "missing" if not current else f"at revision {current}"
        raise SchemaError(
            f"The schema is {state}; this code works on revision {head()}. Run: empathy-r1 db upgrade "
            "(or, if the schema is newer, install the newer release)."
        )


async def _on(address: str, work: Callable[[Connection], str]) -> str:
    database = Database(address)
    try:
        async with database.write() as connection:
            return await connection.run_sync(work)
    except (SQLAlchemyError, OSError) as error:
        raise StorageError(f"The database cannot be reached or migrated: {type(error).__name__}.") from error
    finally:
        await database.close()


def _upgrade(connection: Connection) -> str:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    command.upgrade(_config(connection), "head")
    return _current(connection)


def _current(connection: Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or ""
