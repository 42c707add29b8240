"""`empathy-r1 db`: the schema of the database, its encryption keys, and what is too old in it."""

import asyncio
import json
from typing import Annotated

import typer

from empathy_r1.plugin.cli._common import AsJson, DatabaseUrl, errors, settings

app = typer.Typer(help="The database: schema, encryption keys, retention.", no_args_is_help=True)


@app.command()
def upgrade(database_url: DatabaseUrl = None) -> None:
    """Brings the schema to the newest revision. Safe to run from several processes at once."""
    with errors():
        from empathy_r1.storage import migrate

        revision = asyncio.run(migrate.upgrade(settings(database_url=database_url).database_url))
        typer.echo(f"The schema is at revision {revision}.")


@app.command()
def check(database_url: DatabaseUrl = None) -> None:
    """Says whether this code can work on the schema as it is; exit status 1 if not."""
    with errors():
        from empathy_r1.storage import migrate

        asyncio.run(migrate.check(settings(database_url=database_url).database_url))
        typer.echo("The schema fits this code.")


@app.command()
def downgrade(
    revision: Annotated[str, typer.Argument(help="The revision to go back to, such as 0001.")],
    database_url: DatabaseUrl = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Takes the schema back to an older revision. What only newer revisions hold is lost."""
    if not yes:
        typer.confirm(f"Go back to revision {revision}, and lose what only newer ones hold?", abort=True)
    with errors():
        from empathy_r1.storage import migrate

        now = asyncio.run(migrate.downgrade(settings(database_url=database_url).database_url, revision))
        typer.echo(f"The schema is at revision {now}.")


@app.command()
def rotate(
    database_url: DatabaseUrl = None,
    check: Annotated[bool, typer.Option("--check", help="Only count the texts under each key.")] = False,
    as_json: AsJson = False,
) -> None:
    """Encrypts every stored text again under the first key of the ring, while the service runs.

    Put the new key first in EMPATHY_R1_ENCRYPTION_KEYS of every process, keep the old one behind it, and rotate.
    A rotation that was stopped goes on where it was. Afterwards the old key may leave the ring.
    """
    with errors():
        from empathy_r1.plugin._backends import ring_of
        from empathy_r1.plugin.cli._store import with_database
        from empathy_r1.storage import rotation
        from empathy_r1.storage.erasure import empty_log

        chosen = settings(database_url=database_url)
        ring = ring_of(chosen)
        done = {} if check else with_database(chosen, lambda db: rotation.rotate(db, ring))
        used = with_database(chosen, rotation.keys_in_use)
        with_database(chosen, empty_log)
        if as_json:
            typer.echo(json.dumps({"rotated": done, "keys": used}))
            return
        for column, count in done.items():
            typer.echo(f"{column}: {count} encrypted again")
        for name, count in used.items():
            typer.echo(f"key {name}: {count} texts")


@app.command()
def sweep(
    days: Annotated[float | None, typer.Option(help="Over EMPATHY_R1_RETENTION_DAYS.", min=0)] = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Erases the sessions that nobody used for so many days, and what else is too old."""
    with errors():
        from empathy_r1.plugin.cli._store import with_database
        from empathy_r1.storage import retention

        chosen = settings(database_url=database_url)
        keep = chosen.retention_days if days is None else days
        swept = with_database(
            chosen, lambda db: retention.sweep(db, days=keep, audit_days=chosen.audit_days, actor="operator")
        )
        if as_json:
            typer.echo(json.dumps({"sessions": swept.sessions, "rows": swept.rows, "receipts": swept.receipts}))
            return
        typer.echo(f"{swept.sessions} sessions erased{'' if keep is not None else '; no retention time is set'}.")


@app.command()
def compact(database_url: DatabaseUrl = None) -> None:
    """Writes the tables anew, so that their files hold nothing erased. Posts wait meanwhile."""
    with errors():
        from empathy_r1.plugin.cli._store import with_database
        from empathy_r1.storage.erasure import compact as work

        with_database(settings(database_url=database_url), work)
        typer.echo("The tables are compact.")


@app.command()
def key(name: Annotated[str, typer.Argument(help="Id of the key in the ring.")] = "k1") -> None:
    """Prints a fresh encryption key for EMPATHY_R1_ENCRYPTION_KEYS."""
    from empathy_r1.storage.crypto import new_key

    typer.echo(new_key(name))
