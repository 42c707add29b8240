"""`empathy-r1 keys`: API keys of tenants."""

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from empathy_r1.plugin.cli._common import AsJson, DatabaseUrl, errors, settings

app = typer.Typer(help="API keys of tenants: create, list, revoke.", no_args_is_help=True)
Scopes = Annotated[
    list[str],
    typer.Option("--scope", help="chat, read, erase or admin; may be named several times.", show_default=True),
]


@app.command()
def create(
    tenant: Annotated[str, typer.Argument(help="Whose key it is. A new name is a new tenant.")],
    scope: Scopes = ["chat"],  # noqa: B006  # typer reads it and never changes it
    name: Annotated[str, typer.Option(help="What the key is for.")] = "",
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Makes a key and prints it. It is not stored and cannot be shown again."""
    with errors():
        from empathy_r1.plugin.cli._store import with_database
        from empathy_r1.storage import ApiKeys

        chosen = settings(database_url=database_url)
        key, secret = with_database(chosen, lambda db: ApiKeys(db).create(tenant, scope, name=name))
        if as_json:
            typer.echo(json.dumps(_plain(asdict(key)) | {"key": secret}))
            return
        typer.echo(secret)
        typer.echo(
            f"{key.id}: {', '.join(sorted(key.scopes))} of tenant {tenant}. Keep the key: it is not stored.", err=True
        )


@app.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Lists the keys, without what opens them."""
    with errors():
        from empathy_r1.plugin.cli._store import with_database
        from empathy_r1.storage import ApiKeys

        keys = with_database(settings(database_url=database_url), lambda db: ApiKeys(db).all(tenant))
        if as_json:
            typer.echo(json.dumps([_plain(asdict(key)) for key in keys]))
        for key in [] if as_json else keys:
            state = f"revoked {key.revoked:%Y-%m-%d}" if key.revoked else "good"
            typer.echo(
                f"{key.id}  {key.tenant}  {','.join(sorted(key.scopes))}  {key.created:%Y-%m-%d}  {state}  {key.name}"
            )


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="Id of the key.")], database_url: DatabaseUrl = None) -> None:
    """Ends a key at once, in every process; exit status 1 where there was none."""
    with errors():
        from empathy_r1.plugin.cli._store import with_database
        from empathy_r1.storage import ApiKeys

        ended = with_database(settings(database_url=database_url), lambda db: ApiKeys(db).revoke(key_id))
        if not ended:
            typer.secho(f"No key {key_id}, or it was revoked before. See: empathy-r1 keys list", fg="red", err=True)
            raise typer.Exit(1)
        typer.echo(f"{key_id} is revoked.")


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    dated = {name: row[name] and row[name].isoformat() for name in ("created", "revoked")}
    return row | dated | {"scopes": sorted(row["scopes"])}
