"""Fixtures of every room: the same behaviour tests run on SQLite and on PostgreSQL."""

import pytest

from support.databases import postgres, postgres_bin
from tiers import require


@pytest.fixture(scope="session")
def postgres_address():
    require("postgres", None if postgres_bin() else "no PostgreSQL server is installed (Debian: postgresql)")
    pytest.importorskip("psycopg")
    with postgres() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request, tmp_path):
    """The address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/test.db"
        return
    import psycopg

    server = request.getfixturevalue("postgres_address")
    name = "t" + tmp_path.name.replace("-", "_").lower()[-40:]
    plain = server.replace("+psycopg", "")
    with psycopg.connect(plain, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{name}"')
    yield server.removesuffix("/postgres") + f"/{name}"
    with psycopg.connect(plain, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
