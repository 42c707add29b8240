"""The application without a network, for clients that do not block."""

from contextlib import asynccontextmanager

import httpx

from empathy_r1.plugin.engine import EmpathyEngine


@asynccontextmanager
async def serving(create_app, settings, model):
    """The application that `create_app` makes, opened, with a client that talks to it; `client.app` is the application.

    It has looked at the database once when the block begins: an engine that closes while it opens its first connection
    leaves that connection's thread without a loop.
    """
    app = create_app(settings, open_engine=lambda chosen: EmpathyEngine.open(chosen, model=model))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test", timeout=30) as client,
    ):
        await client.get("/readyz")
        client.app = app
        yield client
