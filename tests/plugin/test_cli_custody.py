"""`keys`, `audit` and the commands of `db`, as an operator runs them."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from empathy_r1.plugin.cli import app, users
from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.storage import migrate
from empathy_r1.storage.crypto import new_key

from support.models import ZH_CHAIN, ScriptedModel
from support.stores import Store


@pytest.fixture
def cli(tmp_path, monkeypatch, database_url):
    """Runs a command over one of the databases, under the keys `cli.ring`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMPATHY_R1_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("EMPATHY_R1_DATABASE_URL", database_url)

    def run(*args, status=0):
        monkeypatch.setenv("EMPATHY_R1_ENCRYPTION_KEYS", run.ring)
        done = CliRunner().invoke(app, args)
        assert done.exit_code == status, (done.output, done.exception)
        return done

    run.ring, run.address = new_key("k1"), database_url
    return run


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_keys_are_made_listed_and_revoked(cli):
    said = cli("keys", "create", "clinic", "--scope", "chat", "--scope", "read", "--name", "backend")
    assert said.stdout.startswith("er1_")
    (made,) = json.loads(cli("keys", "list", "--json").stdout)
    assert (made["tenant"], made["scopes"], made["name"], made["revoked"]) == (
        "clinic",
        ["chat", "read"],
        "backend",
        None,
    )
    assert said.stdout.strip()[4:] not in cli("keys", "list").stdout
    assert "digest" not in made
    cli("keys", "revoke", made["id"])
    assert "revoked" in cli("keys", "list", "--tenant", "clinic").stdout
    assert "No key" in cli("keys", "revoke", made["id"], status=1).stderr
    log = lines(cli("audit", "--json", "--subject", made["id"]))
    assert [(entry["action"], entry["actor"]) for entry in log] == [
        ("key.created", "operator"),
        ("key.revoked", "operator"),
    ]


def test_a_key_that_cannot_be_is_refused_in_one_line(cli):
    assert "expected of chat" in cli("keys", "create", "clinic", "--scope", "root", status=1).stderr


async def fill(cli):
    store = await Store.open(cli.address, cli.ring)
    session = await store.session(metadata={"a": 1})
    await store.talk(session, "a post", "a reply")
    await store.db.close()
    return session


async def read(cli, session):
    store = Store(cli.address, cli.ring)
    turns = await store.journal.of_session(session)
    await store.db.close()
    return [turn.post for turn in turns]


def test_the_encryption_key_is_changed_and_the_old_one_dropped(cli):
    session = asyncio.run(fill(cli))
    assert json.loads(cli("db", "rotate", "--check", "--json").stdout) == {"rotated": {}, "keys": {"k1": 6}}
    new = new_key("k2")
    cli.ring = f"{new},{cli.ring}"
    assert "key k2: 6 texts" in cli("db", "rotate").stdout
    cli.ring = new
    assert json.loads(cli("db", "rotate", "--json").stdout) == {"rotated": {}, "keys": {"k2": 6}}
    assert asyncio.run(read(cli, session)) == ["a post"]
    cli.ring = new_key("k3")
    assert "'k2', which the ring lacks" in cli("db", "rotate", status=1).stderr


def test_what_is_old_is_swept_and_the_tables_are_compacted(cli):
    session = asyncio.run(fill(cli))
    assert "no retention time" in cli("db", "sweep").stdout
    assert asyncio.run(read(cli, session)) == ["a post"]
    swept = json.loads(cli("db", "sweep", "--days", "0", "--json").stdout)
    assert swept["sessions"] == 1
    assert asyncio.run(read(cli, session)) == []
    assert [entry["actor"] for entry in lines(cli("audit", "--json", "--subject", session))] == ["operator"]
    cli("db", "compact")


def test_the_schema_goes_down_and_up(cli):
    cli("db", "upgrade")
    assert "revision 0001" in cli("db", "downgrade", "--yes", "0001").stdout
    assert "at revision 0001" in cli("db", "check", status=1).stderr
    assert migrate.head() in cli("db", "upgrade").stdout
    cli("db", "check")


def test_a_hosts_user_is_exported_and_erased(cli, monkeypatch):
    real = EmpathyEngine.open

    def scripted(settings, *, model=None):
        return real(settings, model=ScriptedModel(script=ZH_CHAIN))

    monkeypatch.setattr(users.EmpathyEngine, "open", scripted)

    async def talk():
        store = await Store.open(cli.address, cli.ring)
        for user in ("ann", "ann", "bob"):
            await store.talk(await store.session(user=user, tenant="rasa"), f"a post of {user}", "a reply")
        await store.db.close()

    asyncio.run(talk())
    held = json.loads(cli("users", "export", "ann", "--tenant", "rasa").stdout)
    assert [turn["post"] for one in held["sessions"] for turn in one["session"]["turns"]] == ["a post of ann"] * 2
    assert json.loads(cli("users", "delete", "ann", "--yes").stdout)["sessions"] == 0
    assert json.loads(cli("users", "delete", "ann", "--yes", "--tenant", "rasa").stdout)["sessions"] == 2
    assert json.loads(cli("users", "export", "ann", "--tenant", "rasa").stdout) == {"sessions": []}
    assert len(json.loads(cli("users", "export", "bob", "--tenant", "rasa").stdout)["sessions"]) == 1
