"""`empathy-r1 model`: a trained model in the forms that serve."""

import json
from pathlib import Path
from typing import Annotated

import typer

from empathy_r1.graph.errors import MissingExtraError
from empathy_r1.plugin.cli._common import errors

app = typer.Typer(help="A trained model in the forms that serve.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """A trained model in the forms that serve."""


@app.command()
def export(
    model: Annotated[Path, typer.Argument(help="Output model of train sft or train grpo.")],
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    merge: Annotated[bool, typer.Option("--merge", help="Put an adapter into its base's weights.")] = False,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="The embedded runtime's form (int8) instead of vLLM's.")
    ] = False,
    float32: Annotated[bool, typer.Option("--float32", help="Write float32 instead of bfloat16.")] = False,
) -> None:
    """Weights or adapter with tokenizer, chat template and generation config, as `vllm serve` takes them."""
    with errors():
        try:
            if embedded:
                from empathy_r1.training.export_embedded import export as convert

                convert(model, out, precision="int8")
                typer.echo(
                    json.dumps({"form": "embedded", "serve": f"EMPATHY_R1_MODEL={out} empathy-r1 serve"}, indent=2)
                )
                return
            from empathy_r1.training.export import export as write

            typer.echo(json.dumps(write(model, out, merge=merge, dtype="float32" if float32 else "bfloat16"), indent=2))
        except ModuleNotFoundError as error:
            raise MissingExtraError(f"Exporting ({error.name})", "train") from error
