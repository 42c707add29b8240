"""`empathy-r1 sessions`: look at, export and erase what is held."""

import asyncio
import json
from typing import Annotated

import typer

from empathy_r1.plugin.cli._common import AsJson, DatabaseUrl, errors, settings
from empathy_r1.plugin.engine import EmpathyEngine

app = typer.Typer(help="Sessions: list, export, delete.", no_args_is_help=True)
SessionId = Annotated[str, typer.Argument(help="Id of the session.")]


@app.command("list")
def list_(database_url: DatabaseUrl = None, as_json: AsJson = False, limit: int = 50) -> None:
    """Lists the newest sessions, without what was said in them."""

    async def work() -> None:
        async with EmpathyEngine.open(settings(database_url=database_url)) as engine:
            rows = await engine.sessions(limit=limit)
            if as_json:
                typer.echo(json.dumps([row.model_dump(mode="json") for row in rows]))
            for row in [] if as_json else rows:
                typer.echo(f"{row.session_id}  {row.last_active:%Y-%m-%d %H:%M}  {row.turns} turns")

    with errors():
        asyncio.run(work())


@app.command()
def export(session_id: SessionId, database_url: DatabaseUrl = None) -> None:
    """Prints everything held about a session as one JSON document."""

    async def work() -> None:
        async with EmpathyEngine.open(settings(database_url=database_url)) as engine:
            typer.echo(
                json.dumps(await engine.export(session_id, actor="operator"), ensure_ascii=False, indent=2, default=str)
            )

    with errors():
        asyncio.run(work())


@app.command()
def delete(
    session_id: SessionId,
    database_url: DatabaseUrl = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erases a session for good and prints the receipt."""

    async def work() -> None:
        async with EmpathyEngine.open(settings(database_url=database_url)) as engine:
            typer.echo((await engine.erase(session_id, actor="operator")).model_dump_json(indent=2))

    if not yes:
        typer.confirm(f"Erase everything held about session {session_id}?", abort=True)
    with errors():
        asyncio.run(work())
