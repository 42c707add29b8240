"""The commands, one group per kind of work; each imports what it starts only when it runs."""

from typing import Annotated

import typer

from empathy_r1.plugin.cli import audit, chat, data, db, evaluate, keys, model, serve, sessions, train, users

app = typer.Typer(
    name="empathy-r1",
    help="Answers long, painful posts with a Chain of Empathy. It supports people; it is no therapy and no diagnosis.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # locals hold what people wrote
)
app.command("serve")(serve.serve)
app.command("chat")(chat.chat)
app.command("audit")(audit.audit)
app.add_typer(db.app, name="db")
app.add_typer(keys.app, name="keys")
app.add_typer(sessions.app, name="sessions")
app.add_typer(users.app, name="users")
app.add_typer(data.app, name="data")
app.add_typer(train.app, name="train")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(model.app, name="model")


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and leave.", callback=lambda v: _version(v), is_eager=True),
    ] = False,
) -> None:
    """Answers long, painful posts with a Chain of Empathy."""


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(version("empathy-r1"))
        raise typer.Exit
