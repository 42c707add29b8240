"""What the commands share: options, settings, and errors as one line with a way out."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from empathy_r1.graph.errors import EmpathyR1Error
from empathy_r1.plugin.settings import Settings
from empathy_r1.storage.errors import StorageError

ModelUrl = Annotated[
    str | None, typer.Option("--model-url", help="OpenAI-compatible endpoint, such as a vLLM server's …/v1.")
]
Model = Annotated[str | None, typer.Option("--model", help="Name of the model at --model-url.")]
DatabaseUrl = Annotated[
    str | None, typer.Option("--database-url", help="sqlite+aiosqlite:///… or postgresql+psycopg://…")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for programs.")]


def settings(**given: Any) -> Settings:
    """Settings from the options that were given, over environment and file."""
    return Settings(**{name: value for name, value in given.items() if value is not None})


@contextmanager
def errors() -> Iterator[None]:
    """Ends the command with one clear line and exit status 1 on an error that is the user's to mend."""
    try:
        yield
    except ValidationError as error:
        for problem in error.errors():
            field = ".".join(str(part) for part in problem["loc"])
            typer.secho(f"Setting {field}: {problem['msg']}.", fg="red", err=True)
        raise typer.Exit(1) from None
    except (EmpathyR1Error, StorageError) as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        sys.exit(130)
