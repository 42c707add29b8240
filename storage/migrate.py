"""Migrations: the schema's revisions ship in the package and run under one lock.

Revisions are named 0001, 0002, ... and compared as text. A release works on its own revision, and on any newer one
whose table `schema_compat` names this release's revision or an older one. A revision that only adds what older code
may leave out keeps that entry; one that older code cannot live with sets it to its own name. So a fleet is upgraded
by migrating first and changing processes one by one.
"""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from empathy_r1.storage.database import Database
from empathy_r1.storage.errors import SchemaError, StorageError
from empathy_r1.storage.registers import SchemaCompatRow

_LOCK = 0x656D7061
"""Key of PostgreSQL's advisory lock: of several processes that start together, one migrates and the rest wait."""

_NO_CODE = "~"
"""Greater than every revision's name."""


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
    """Brings the schema to `head()`, unless a newer release has brought it further; returns its revision.

    Raises:
        SchemaError: a newer release has made the schema one that this code cannot work on.
        StorageError: the database cannot be reached.
    """
    return await _on(address, _upgrade)


async def downgrade(address: str, revision: str) -> str:
    """Takes the schema back to `revision`. What only newer revisions hold is lost.

    Raises:
        SchemaError: no such revision below the present one.
        StorageError: the database cannot be reached.
    """
    return await _on(address, lambda connection: _downgrade(connection, revision))


async def check(address: str) -> None:
    """Checks that this code can work on the schema: it is at `head()`, or newer and says that this code fits.

    Raises:
        SchemaError: the schema is missing, older, or too new.
        StorageError: the database cannot be reached.
    """
    await _on(address, _check)


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
    _lock(connection)
    if _current(connection) > head():
        return _check(connection)
    command.upgrade(_config(connection), "head")
    return _current(connection)


def _downgrade(connection: Connection, revision: str) -> str:
    _lock(connection)
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    current = _current(connection)
    if revision not in known or current not in known or revision > current:
        raise SchemaError(f"The schema is at revision {current or '(none)'} and cannot go down to {revision!r}.")
    command.downgrade(_config(connection), revision)
    return _current(connection)


def _check(connection: Connection) -> str:
    current = _current(connection)
    if current != head() and not (current > head() >= _oldest(connection)):
        state = "missing" if not current else f"at revision {current}"
        raise SchemaError(
            f"The schema is {state}; this code works on revision {head()}. Run: empathy-r1 db upgrade "
            "(or, if the schema is newer, install the newer release)."
        )
    return current


def _lock(connection: Connection) -> None:
    # On SQLite the transaction itself, which begins as a writer, is the lock.
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _oldest(connection: Connection) -> str:
    return connection.execute(select(func.max(SchemaCompatRow.oldest))).scalar() or _NO_CODE


def _current(connection: Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or ""
