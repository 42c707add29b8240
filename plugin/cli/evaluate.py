"""`empathy-r1 evaluate`: figures of the screen and of the model, each on a file of the user's choice."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from empathy_r1.graph.errors import MissingExtraError
from empathy_r1.plugin.cli._common import AsJson, Model, ModelUrl, errors, settings

_OUTCOMES = ("best", "suboptimal", "harm")

app = typer.Typer(help="Figures of the crisis screen and of the model.", no_args_is_help=True)


@app.command()
def safety(
    data: Annotated[Path, typer.Option(help="Rows {text, labels, source} as in PsyGUARD, or {text, level}; JSONL.")],
    turns: Annotated[str, typer.Option(help="At which posts of a conversation, such as 1,10,20,40.")] = "1",
    as_json: AsJson = False,
) -> None:
    """Recall and false alarms of the crisis screen, with 95 % intervals."""
    with errors():
        from empathy_r1.training import evaluate_safety as stage

        rows = list(stage.read(data))
        found = stage.report(rows, [int(turn) for turn in turns.split(",")])
        if as_json:
            typer.echo(json.dumps(found, ensure_ascii=False))
            return
        for row in found:
            figure = f"{row['share']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
            typer.echo(f"turn {row['turn']:<3} {row['class']:<20} {row['gate']:<12} n={row['n']:<5} {figure}")


@app.command()
def chain(
    posts: Annotated[Path, typer.Option(help="Posts with gold chains, JSONL of training.data.sample.")],
    model: Annotated[
        Path | None, typer.Option(help="Folder of an exported model. Without it: the shipped one.")
    ] = None,
    most: Annotated[int, typer.Option(help="At most so many posts.")] = 200,
    as_json: AsJson = False,
) -> None:
    """How well a model reads and answers held-out posts, through the whole graph."""
    with errors():
        try:
            from empathy_r1.graph.models.embedded import EmbeddedChat
            from empathy_r1.training import evaluate_chain as stage
            from empathy_r1.training.data.sample import read

            samples = list(read(posts))[:most]
            outputs = asyncio.run(stage.answers(samples, EmbeddedChat(path=model) if model else None))
        except ModuleNotFoundError as error:
            raise MissingExtraError(f"The embedded model ({error.name})", "embedded") from error
        found = stage.report(samples, outputs)
        if as_json:
            typer.echo(json.dumps(found))
            return
        for name, value in found.items():
            typer.echo(f"{name:<20} {value}")


@app.command()
def pair(
    posts: Annotated[Path, typer.Option(help="Held-out posts, JSONL of training.data.sample.")],
    first: Annotated[Path, typer.Option(help="Output model of train sft or grpo.")],
    second: Annotated[list[Path], typer.Option(help="A model to compare with it; may be given several times.")],
    judge: Annotated[Path, typer.Option(help="Output model of train reward that none was trained against.")],
    most: Annotated[int, typer.Option(help="At most so many posts.")] = 200,
    keep: Annotated[Path | None, typer.Option(help="Folder for what they write; a second run goes on from it.")] = None,
    gpu: Annotated[bool, typer.Option("--gpu", help="Run the models on a GPU.")] = False,
    as_json: AsJson = False,
) -> None:
    """Whose replies a judge prefers, with 95 % intervals, and what the better score was paid with."""
    with errors():
        try:
            from empathy_r1.training import compare
            from empathy_r1.training.data.sample import read
            from empathy_r1.training.judges import RewardModel

            samples = list(read(posts))[:most]
            said = {
                compare.name_of(model): compare.chains(model, samples, kept=keep, cpu=not gpu)
                for model in (first, *second)
            }
            found = compare.report(samples, said, RewardModel(judge, cpu=not gpu))
        except ModuleNotFoundError as error:
            raise MissingExtraError(f"Comparing models ({error.name})", "train") from error
        typer.echo(json.dumps(found) if as_json else compare.table(found))


@app.command()
def vera(
    data: Annotated[Path, typer.Option(help="Folder of VERA-MH: personas, rubric, prompts and licence.")],
    judge_url: Annotated[str, typer.Option(help="OpenAI-compatible endpoint of the model that judges.")],
    judge_model: Annotated[str, typer.Option(help="Its name there.")],
    user_url: Annotated[str, typer.Option(help="OpenAI-compatible endpoint of the model that plays the persons.")],
    user_model: Annotated[str, typer.Option(help="Its name there.")],
    judge_key: Annotated[str, typer.Option(envvar="EMPATHY_R1_JUDGE_KEY", help="API key of the judge.")] = "none",
    user_key: Annotated[str, typer.Option(envvar="EMPATHY_R1_USER_KEY", help="API key of the player.")] = "none",
    out: Annotated[Path, typer.Option(help="Judged conversations, JSONL; a second run goes on from it.")] = Path(
        "build/vera/talks.jsonl"
    ),
    runs: Annotated[int, typer.Option(help="Conversations with each persona.", min=1)] = 1,
    turns: Annotated[int, typer.Option(help="Most posts of a conversation.", min=1)] = 12,
    region: Annotated[str, typer.Option(help="Country for help lines.")] = "US",
    model_url: ModelUrl = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """VERA-MH's rubric on conversations of the product with its personas, with 95 % intervals."""
    with errors():
        from empathy_r1.plugin._backends import model_of
        from empathy_r1.training import evaluate_vera as stage
        from empathy_r1.training.chat import Endpoint

        stage.rubric(data)
        found = stage.report(
            asyncio.run(
                stage.evaluate(
                    data,
                    out,
                    model_of(settings(model_url=model_url, model=model)),
                    user=Endpoint(user_url, user_model, user_key),
                    judge=Endpoint(judge_url, judge_model, judge_key),
                    runs=runs,
                    turns=turns,
                    region=region,
                )
            )
        )
        notice = (data / "LICENSE").read_text(encoding="utf-8")
        if as_json:
            typer.echo(json.dumps({"dimensions": found, "notice": notice}, ensure_ascii=False))
            return
        for row in found:
            parts = (
                f"{name} {row[name]['share']} [{row[name]['low']:.2f}, {row[name]['high']:.2f}]" for name in _OUTCOMES
            )
            typer.echo(f"{row['dimension']:<46} n={row['n']:<4} unjudged={row['unjudged']:<3} {', '.join(parts)}")
        typer.secho(notice, dim=True)
