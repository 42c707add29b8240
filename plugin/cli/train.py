"""`empathy-r1 train`: the stages that make the model."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

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
    _run("sft", config, resume=resume, dry_run=dry_run)


@app.command()
def reward(config: Config, resume: Resume = False, dry_run: DryRun = False) -> None:
    """A reward model on tiered pairs, with its accuracy per tier."""
    _run("reward", config, resume=resume, dry_run=dry_run)


@app.command()
def embedding(config: Config, resume: Resume = False, dry_run: DryRun = False) -> None:
    """The embedding that the paper's reward measures with."""
    _run("embedding", config, resume=resume, dry_run=dry_run)


@app.command()
def grpo(config: Config, resume: Resume = False, dry_run: DryRun = False) -> None:
    """Reinforcement learning on whole chains."""
    _run("grpo", config, resume=resume, dry_run=dry_run)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Output folders of finished runs, side by side.")],
    out: Annotated[Path, typer.Option(help="Folder for REPORT.md and report.png.")],
) -> None:
    """One page about runs: figures, plots of loss, reward, length and judges."""
    with errors():
        from empathy_r1.training.report import write

        typer.echo(str(write(runs, out)))


def _run(stage: str, config: Path, *, resume: bool, dry_run: bool) -> None:
    with errors():
        try:
            main = import_module(f"empathy_r1.training.{stage}").main
            main(["--config", str(config), *["--resume"] * resume, *["--dry-run"] * dry_run])
        except ModuleNotFoundError as error:
            raise MissingExtraError(f"Training ({error.name})", "train") from error
