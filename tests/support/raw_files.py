"""The files of a database, searched as somebody would who has the disk."""

import asyncio
from pathlib import Path

import psycopg


async def files(store, *, log=False):
    """Every file of the database, by name; with PostgreSQL's log of all databases where `log` says so."""
    if store.db.engine.dialect.name == "sqlite":
        path = Path(store.address.partition(":///")[2])
        return {file.name: file.read_bytes() for file in path.parent.glob(path.name + "*")}
    plain = store.address.replace("+psycopg", "")

    def read():
        with psycopg.connect(plain, autocommit=True) as admin:
            admin.execute("CHECKPOINT")
            (folder,) = admin.execute("SHOW data_directory").fetchone()
            (oid,) = admin.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
        folders = [Path(folder, "base", str(oid))] + [Path(folder, "pg_wal")] * log
        return {str(file): file.read_bytes() for one in folders for file in one.iterdir() if file.is_file()}

    return await asyncio.to_thread(read)


async def found(store, needles, *, log=False):
    held = await files(store, log=log)
    return [(name, needle[:40]) for name, data in held.items() for needle in needles if needle in data]
