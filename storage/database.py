"""The connection to SQLite or PostgreSQL, with the settings that make each durable and forgetful."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, InvalidRequestError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from empathy_r1.storage.errors import StorageError
from empathy_r1.storage.made import driver_of

DRIVERS = ("sqlite+aiosqlite", "postgresql+psycopg")
_THREADS = 8
"""Transactions of `run` at once on PostgreSQL, and reads at once on SQLite, which has one writer."""
_IDLE_SECONDS = 1.0
_POSTGRES = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "tcp_user_timeout": 15_000}
"""A server that falls silent is noticed within seconds, not within the hours that TCP takes by itself."""
T = TypeVar("T")


class Database:
    """The connections to one database address.

    `read` and `write` hand out connections statement by statement; `run` does a whole transaction in a thread, which
    costs one change of thread instead of one for each statement (benchmarks/turn_overhead.py).
    """

    def __init__(self, address: str) -> None:
        """Opens no connection yet.

        Raises:
            StorageError: an address of another kind of database, or its driver is not installed.
        """
        self.engine = _engine(address)
        self._threaded = _threaded(self.engine)
        sqlite = self.engine.dialect.name == "sqlite"
        self._closed = False
        self._readers = ThreadPoolExecutor(_THREADS, "empathy-r1-database")
        self._writers = ThreadPoolExecutor(1, "empathy-r1-writer") if sqlite else self._readers

    async def run(self, work: Callable[[Connection], T], *, reading: bool = False) -> T:
        """Does `work` in one transaction, in a thread. It goes on to its end when the caller is cancelled."""
        pool = self._readers if reading else self._writers
        if self._closed:
            raise InvalidRequestError("the database is closed")
        return await asyncio.get_running_loop().run_in_executor(pool, self._transaction, work, reading)

    def _transaction(self, work: Callable[[Connection], T], reading: bool) -> T:
        dialect = self._threaded.dialect
        errors = dialect.loaded_dbapi.Error
        with self._threaded.connect() as connection, connection.begin():
            driver = driver_of(connection)
            try:
                if dialect.name == "sqlite":
                    # A transaction that begins as a reader fails when it turns writer beside another: writers say so.
                    driver.execute("BEGIN" if reading else "BEGIN IMMEDIATE")
                return work(connection)
            except errors as error:
                if lost := dialect.is_disconnect(error, driver, None):
                    connection.invalidate(error)
                raise DBAPIError.instance(None, None, error, errors, connection_invalidated=lost) from error

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading."""
        async with self.engine.connect() as connection:
            yield await connection.execution_options(reading=True)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction, committed at the end of the block."""
        async with self.engine.begin() as connection:
            yield connection

    async def close(self) -> None:
        """Closes all connections, once what runs has ended."""
        self._closed = True
        await self.engine.dispose()
        for pool in {self._readers, self._writers}:
            await asyncio.to_thread(pool.shutdown)
        self._threaded.dispose()


def _engine(address: str) -> AsyncEngine:
    try:
        url = make_url(address)
    except ArgumentError:
        raise StorageError("The database address cannot be read. " + _EXPECTED) from None
    if url.drivername not in DRIVERS:
        raise StorageError(f"The database {url.drivername!r} is not supported. " + _EXPECTED)
    if url.drivername == "sqlite+aiosqlite":
        if url.database and url.database != ":memory:":
            Path(url.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        engine = create_async_engine(url, connect_args={"timeout": 30, "isolation_level": None})
        event.listen(engine.sync_engine, "connect", _sqlite_connect)
        event.listen(engine.sync_engine, "begin", _sqlite_begin)
        return engine
    try:
        return create_async_engine(url, pool_size=10, max_overflow=20, pool_pre_ping=True)
    except ModuleNotFoundError:
        raise StorageError(
            "PostgreSQL requires the 'postgres' extra. Install it with: pip install 'empathy-r1[postgres]'"
        ) from None


def _threaded(engine: AsyncEngine) -> Engine:
    """An engine of plain connections to the same database."""
    if engine.dialect.name != "sqlite":
        plain = create_engine(engine.url, pool_size=_THREADS, max_overflow=0, connect_args=_POSTGRES)
        event.listen(plain, "checkout", _ping_if_idle)
        event.listen(plain, "checkin", _used)
        event.listen(plain, "do_execute", _with_begin)
        return plain
    url = engine.url.set(drivername="sqlite+pysqlite")
    plain = create_engine(url, connect_args={"timeout": 30, "isolation_level": None}, pool_size=_THREADS + 1)
    event.listen(plain, "connect", _sqlite_connect)
    return plain


def _with_begin(cursor: Any, statement: str, parameters: Any, context: object) -> bool:
    # The driver begins a transaction before its first statement: both go in one journey.
    if cursor.connection.info.transaction_status != cursor.connection.info.transaction_status.IDLE:
        return False
    with cursor.connection.pipeline():
        cursor.execute(statement, parameters)
    return True


def _used(connection: Any, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _ping_if_idle(connection: Any, record: Any, proxy: object) -> None:
    # A ping at each use would cost a journey to the server; one that was used just now is hardly dead.
    if time.monotonic() - record.info.get("used", float("inf")) > _IDLE_SECONDS:
        try:
            connection.execute("SELECT 1")
            connection.rollback()
        except Exception as error:
            raise DisconnectionError from error


def _sqlite_connect(connection: Any, record: object) -> None:
    cursor = connection.cursor()
    # WAL lets readers go on beside the one writer; secure_delete overwrites what is erased.
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "secure_delete=ON",
        "busy_timeout=30000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_begin(connection: Any) -> None:
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


_EXPECTED = "Expected sqlite+aiosqlite:///file or postgresql+psycopg://user:password@host/name."

__all__ = ["Database", "SQLAlchemyError"]
