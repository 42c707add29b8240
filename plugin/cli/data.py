"""`empathy-r1 data`: from posts and answers to what the stages train on."""

import asyncio
import json
import os
from pathlib import Path
from typing import Annotated

import typer

from empathy_r1.graph.errors import MissingExtraError
from empathy_r1.plugin.cli._common import DatabaseUrl, errors, settings
from empathy_r1.plugin.engine import DEFAULT_TENANT

app = typer.Typer(help="From posts and answers to what the stages train on.", no_args_is_help=True)


@app.command()
def clean(
    files: Annotated[list[Path], typer.Argument(help="Posts with answers, or dialogues; JSONL (docs/training.md).")],
    out: Annotated[Path, typer.Option(help="Folder for train, validation, test and the data card.")],
) -> None:
    """Leaves out adverts, near-duplicates and short answers, scrubs personal data, splits by question."""
    with errors():
        from empathy_r1.training.data.clean import build
        from empathy_r1.training.data.questions import read

        typer.echo(json.dumps(build((q for file in files for q in read(file)), out), ensure_ascii=False, indent=2))


@app.command()
def annotate(
    questions: Annotated[Path, typer.Argument(help="A file that `data clean` wrote.")],
    out: Annotated[Path, typer.Option(help="Samples with chains, JSONL; run again to go on after a kill.")],
    url: Annotated[str, typer.Option(help="OpenAI-compatible endpoint of the teacher, up to /v1.")],
    model: Annotated[str, typer.Option(help="The teacher's name there.")],
    key_env: Annotated[str, typer.Option(help="Environment variable with the endpoint's key.")] = "OPENAI_API_KEY",
    concurrency: Annotated[int, typer.Option(help="Requests under way at once, of each actor.", min=1)] = 16,
    actors: Annotated[int, typer.Option(help="Actors of Ray, on RAY_ADDRESS or here. 0: no Ray.", min=0)] = 0,
) -> None:
    """Chain-of-Empathy annotation by a teacher: validated, repaired, filtered, cached."""
    with errors():
        from empathy_r1.training.chat import Endpoint
        from empathy_r1.training.data import at_scale, teacher
        from empathy_r1.training.data.questions import read

        endpoint = Endpoint(url, model, os.environ.get(key_env) or "none")
        if actors:
            try:
                found = at_scale.annotate(read(questions), out, endpoint, actors=actors, concurrency=concurrency)
            except ModuleNotFoundError as error:
                raise MissingExtraError(f"Annotation on several machines ({error.name})", "ray") from error
        else:
            found = asyncio.run(teacher.annotate(read(questions), out, endpoint, concurrency=concurrency))
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))


@app.command()
def pairs(
    out: Annotated[Path, typer.Option(help="File of pairs to write, JSONL.")],
    samples: Annotated[Path | None, typer.Option(help="Samples with chains, JSONL.")] = None,
    corpus: Annotated[list[str] | None, typer.Option(help="A split of the corpus; may be given several times.")] = None,
    held_out: Annotated[bool, typer.Option("--held-out", help="Use the bank's other half of poor sentences.")] = False,
    fold: Annotated[str | None, typer.Option(help="K/OF: only posts of fold K of OF.")] = None,
    most: Annotated[int, typer.Option(help="At most so many samples.")] = 6000,
) -> None:
    """Tiered preference pairs for the reward model."""
    with errors():
        from empathy_r1.training.pairs import main

        arguments = ["--out", str(out), "--most", str(most), *(["--held-out"] if held_out else [])]
        arguments += ["--samples", str(samples)] if samples else []
        arguments += ["--corpus", *corpus] if corpus else []
        arguments += ["--fold", *fold.split("/")] if fold else []
        main(arguments)


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="File to write, JSONL, for `data clean`.")],
    tenant: Annotated[str, typer.Option(help="Whose sessions.")] = DEFAULT_TENANT,
    crises: Annotated[bool, typer.Option("--crises", help="Keep the turns of a crisis too.")] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """The product's own talks of those who agreed to training, scrubbed; an audit entry for each session."""
    with errors():
        from empathy_r1.plugin import consented
        from empathy_r1.plugin._backends import ring_of
        from empathy_r1.plugin.cli._store import with_database
        from empathy_r1.training.data.clean import scrub

        chosen = settings(database_url=database_url)
        ring = ring_of(chosen)
        found = with_database(
            chosen,
            lambda db: consented.export(db, ring, out, tenant=tenant, scrub=scrub, crises=crises, actor="operator"),
        )
        typer.echo(json.dumps(found))
