"""`empathy-r1 evaluate`: measure what the system does, on your own data."""

from pathlib import Path
from typing import Annotated

import typer

from empathy_r1.plugin.cli._common import AsJson, errors

app = typer.Typer(help="Measure the system on your own data.", no_args_is_help=True)


@app.command()
def safety(
    data: Annotated[Path, typer.Option(help="JSONL of {text, labels, source} or {text, level}.", exists=True)],
    as_json: AsJson = False,
) -> None:
    """The crisis screen, per class: n, figure and Wilson interval."""
    with errors():
        from empathy_r1.training import evaluate_safety

        raise typer.Exit(evaluate_safety.run(data, as_json=as_json))
