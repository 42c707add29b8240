"""`empathy-r1 train`: the stages that make the model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from empathy_r1.graph.errors import MissingExtraError
from empathy_r1.plugin.cli._common import errors

app = typer.Typer(help="The stages that make the model.", no_args_is_help=True)
Config = Annotated[Path, typer.Option("--config", help="YAML, see training/configs/.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the newest whole checkpoint.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be trained and written.")]


@app.command()
def sft(config: Config, resume: Resume = False, dry_run: DryRun = False) -> None:
    """Supervised fine-tuning on finished chains."""

    def run() -> dict[str, Any]:
        from empathy_r1.training import sft as stage
        from empathy_r1.training.config import SftConfig, load

        chosen = load(config, SftConfig)
        return stage.plan(chosen) if dry_run else stage.train(chosen, resume=resume)

    _run(run)


@app.command()
def reward(config: Config, resume: Resume = False, dry_run: DryRun = False) -> None:
    """A reward model on tiered pairs, with its accuracy per tier."""

    def run() -> dict[str, Any]:
        from empathy_r1.training import reward as stage
        from empathy_r1.training.config import RewardConfig, load

        chosen = load(config, RewardConfig)
        return stage.plan(chosen) if dry_run else stage.train(chosen, resume=resume)

    _run(run)


@app.command()
def embedding(config: Config, resume: Resume = False, dry_run: DryRun = False) -> None:
    """The embedding that the paper's reward measures with."""

    def run() -> dict[str, Any]:
        from empathy_r1.training import embedding as stage
        from empathy_r1.training.config import EmbeddingConfig, load

        chosen = load(config, EmbeddingConfig)
        return stage.plan(chosen) if dry_run else stage.train(chosen, resume=resume)

    _run(run)


@app.command()
def grpo(config: Config, resume: Resume = False, dry_run: DryRun = False) -> None:
    """Reinforcement learning on whole chains."""

    def run() -> dict[str, Any]:
        from empathy_r1.training import grpo as stage
        from empathy_r1.training.config import GrpoConfig, load

        chosen = load(config, GrpoConfig)
        return stage.plan(chosen) if dry_run else stage.train(chosen, resume=resume)

    _run(run)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Output folders of finished runs, side by side.")],
    out: Annotated[Path, typer.Option(help="Folder for REPORT.md and report.png.")],
) -> None:
    """One page about runs: figures, plots of loss, reward, length and judges."""
    with errors():
        from empathy_r1.training.report import write

        typer.echo(str(write(runs, out)))


def _run(stage: Callable[[], dict[str, Any]]) -> None:
    with errors():
        try:
            typer.echo(json.dumps(stage(), indent=2))
        except ModuleNotFoundError as error:
            raise MissingExtraError(f"Training ({error.name})", "train") from error
