"""`empathy-r1 users`: everything held about one of a host's users, exported or erased."""

import asyncio
import json
from typing import Annotated

import typer

from empathy_r1.plugin.cli._common import DatabaseUrl, errors, settings
from empathy_r1.plugin.engine import DEFAULT_TENANT, EmpathyEngine

app = typer.Typer(help="A host's users: export, delete.", no_args_is_help=True)
User = Annotated[str, typer.Argument(help="The host's own id of the person; user:ID at the OpenAI door.")]
Tenant = Annotated[str, typer.Option(help="Whose user; without API keys: openai, rasa or rasa-channel at those doors.")]


@app.command()
def export(user: User, tenant: Tenant = DEFAULT_TENANT, database_url: DatabaseUrl = None) -> None:
    """Prints everything held about all sessions of the user as one JSON document."""

    async def work() -> None:
        async with EmpathyEngine.open(settings(database_url=database_url)) as engine:
            held = await engine.export_user(user, tenant=tenant, actor="operator")
            typer.echo(json.dumps(held, ensure_ascii=False, indent=2, default=str))

    with errors():
        asyncio.run(work())


@app.command()
def delete(
    user: User,
    tenant: Tenant = DEFAULT_TENANT,
    database_url: DatabaseUrl = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erases all sessions of the user for good and prints the receipt."""

    async def work() -> None:
        async with EmpathyEngine.open(settings(database_url=database_url)) as engine:
            typer.echo((await engine.erase_user(user, tenant=tenant, actor="operator")).model_dump_json(indent=2))

    if not yes:
        typer.confirm(f"Erase everything held about user {user} of {tenant}?", abort=True)
    with errors():
        asyncio.run(work())
