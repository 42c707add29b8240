"""`empathy-r1 train`: the stages that make the model."""

import json
from pathlib import Path
from typing import Annotated

import typer

from empathy_r1.graph.errors import MissingExtraError
from empathy_r1.plugin.cli._common import errors

app = typer.Typer(help="The stages that make the model.", no_args_is_help=True)
Config = Annotated[Path, typer.Option("--config", help="YAML, see training/configs/.")]


@app.command()
def sft(
    config: Config,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be trained and written.")] = False,
) -> None:
    """Supervised fine-tuning on finished chains."""
    with errors():
        try:
            from empathy_r1.training import sft as stage
            from empathy_r1.training.config import SftConfig, load

            chosen = load(config, SftConfig)
            typer.echo(json.dumps(stage.plan(chosen) if dry_run else stage.train(chosen, resume=resume), indent=2))
        except ModuleNotFoundError as error:
            raise MissingExtraError(f"Training ({error.name})", "train") from error
