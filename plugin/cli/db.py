"""`empathy-r1 db`: the schema of the database."""

import asyncio

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
