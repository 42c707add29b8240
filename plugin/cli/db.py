"""`empathy-r1 db`: the schema of the database."""

import asyncio
from typing import Annotated

import typer

from empathy_r1.plugin.cli._common import DatabaseUrl, errors, settings

app = typer.Typer(help="The schema of the database.", no_args_is_help=True)


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
def key(name: Annotated[str, typer.Argument(help="Id of the key in the ring.")] = "k1") -> None:
    """Prints a fresh encryption key for EMPATHY_R1_ENCRYPTION_KEYS."""
    from empathy_r1.storage.crypto import new_key

    typer.echo(new_key(name))
