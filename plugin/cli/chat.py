"""`empathy-r1 chat`: one post, or a conversation in the terminal."""

import asyncio
import json
import sys
from typing import Annotated, Any

import typer

from empathy_r1.graph.labels import Locale
from empathy_r1.graph.text import locale_of
from empathy_r1.plugin.cli._common import AsJson, DatabaseUrl, Model, ModelUrl, errors, settings
from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.events import Committed, Failed, Safety, StageDone, Token


def chat(
    post: Annotated[
        str | None, typer.Argument(help="One post to answer. Without it: a conversation, or the post on stdin.")
    ] = None,
    reveal_chain: Annotated[bool, typer.Option("--reveal-chain", help="Show the four hidden stages.")] = False,
    as_json: AsJson = False,
    model_url: ModelUrl = None,
    model: Model = None,
    database_url: DatabaseUrl = None,
    region: Annotated[str | None, typer.Option(help="Country for help lines, such as CN or US.")] = None,
) -> None:
    r"""Answers one post, or talks in the terminal: Enter sends, a line that ends in \ goes on, Ctrl-D leaves."""
    with errors():
        chosen = settings(
            reveal_chain=reveal_chain or None,
            model_url=model_url,
            model=model,
            database_url=database_url,
            region=region,
        )
        if post is None and not sys.stdin.isatty():
            post = sys.stdin.read()
        if post is None and as_json:
            raise typer.BadParameter("--json answers one post: give it as the argument or on stdin.")
        failed = asyncio.run(_one(post, chosen, as_json) if post is not None else _many(chosen))
        if failed:
            raise typer.Exit(1)


async def _one(post: str, chosen: Any, as_json: bool) -> bool:
    async with EmpathyEngine.open(chosen) as engine:
        session = await engine.create_session(region=chosen.region)
        if not as_json:
            return await _answer(engine, session.session_id, post)
        failed = False
        async for event in engine.stream(session.session_id, post):
            if isinstance(event, Committed):
                answer = {
                    "reply": event.reply,
                    "level": event.level,
                    "chain": event.chain,
                    "timings": event.timings,
                }
                typer.echo(json.dumps(answer, ensure_ascii=False))
            elif isinstance(event, Failed):
                typer.secho(event.message, fg="red", err=True)
                failed = True
        return failed


async def _many(chosen: Any) -> bool:
    import readline  # noqa: F401  # line editing, and pasted text with its line breaks

    async with EmpathyEngine.open(chosen) as engine:
        session = await engine.create_session(region=chosen.region)
        for disclosure in session.disclosures:
            typer.secho(str(disclosure["text"]), dim=True)
        while (post := await asyncio.to_thread(_read)) is not None:
            if post.strip():
                await _answer(engine, session.session_id, post)
    return False


def _read() -> str | None:
    lines: list[str] = []
    try:
        while True:
            lines.append(input("\n› " if not lines else "  "))
            if not lines[-1].endswith("\\"):
                return "\n".join(line.removesuffix("\\") for line in lines)
    except EOFError:
        return None


async def _answer(engine: EmpathyEngine, session_id: str, post: str) -> bool:
    locale = locale_of(post)
    waiting = sys.stderr.isatty()
    failed = False
    async for event in engine.stream(session_id, post):
        if isinstance(event, StageDone) and event.name in _STAGES[locale]:
            title = _STAGES[locale][event.name]
            if event.text:
                typer.secho(f"{title}  {event.text}", dim=True, err=True)
            elif waiting:
                typer.echo(f"\r\033[K… {title}", nl=False, err=True)
        elif isinstance(event, Token):
            if waiting:
                typer.echo("\r\033[K", nl=False, err=True)
                waiting = False
            typer.echo(event.text, nl=False)
        elif isinstance(event, Safety) and event.card:
            typer.secho(str(event.card.get("text", "")), fg="yellow", err=True)
        elif isinstance(event, Committed):
            typer.echo()
        elif isinstance(event, Failed):
            typer.secho(event.message, fg="red", err=True)
            failed = True
    return failed


_STAGES: dict[Locale, dict[str, str]] = {
    "zh": {"emotion": "情绪", "cause": "起因", "intention": "意图", "strategy": "策略"},
    "en": {"emotion": "emotion", "cause": "cause", "intention": "intention", "strategy": "strategy"},
}
