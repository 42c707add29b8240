"""`empathy-r1 serve`: the web page, the chat API and the adapters."""

from typing import Annotated

import typer

from empathy_r1.plugin.cli._common import DatabaseUrl, Model, ModelUrl, errors, settings


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    model_url: ModelUrl = None,
    model: Model = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Serves the chat page, the chat API and the adapters until it is stopped."""
    with errors():
        import uvicorn

        from empathy_r1.integrations.app import create_app
        from empathy_r1.plugin.cli._server import DrainingServer

        chosen = settings(host=host, port=port, model_url=model_url, model=model, database_url=database_url)
        app = create_app(chosen)
        typer.echo(f"Empathy-R1: http://{'localhost' if chosen.host == '127.0.0.1' else chosen.host}:{chosen.port}/")
        server = DrainingServer(uvicorn.Config(app, host=chosen.host, port=chosen.port, log_level="warning"))
        server.run()
        if not server.started:
            raise typer.Exit(3)
