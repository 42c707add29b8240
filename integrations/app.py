"""The application with all doors: web, OpenAI-compatible, Rasa.

uvicorn.run(create_app(Settings()))
"""

from typing import cast

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from empathy_r1.integrations.openai import router as openai
from empathy_r1.integrations.rasa import actions, rest, socketio
from empathy_r1.integrations.web import app as web
from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.settings import Settings


def create_app(settings: Settings, *, open_engine: web.OpenEngine = EmpathyEngine.open) -> FastAPI:
    """The web application with the other doors beside it, over one engine."""
    # Rasa sends the whole talk with every message.
    app = web.create_app(settings, open_engine=open_engine, own_bounds=("/rasa/", "/webhooks/"))
    for router in (openai.router, actions.router, rest.router):
        app.include_router(router)
    channel = socketio.build_channel(
        lambda: cast(EmpathyEngine, app.state.engine),
        origins=settings.cors_origins,
    )
    if channel is not None:
        app.add_middleware(_Beside, channel=channel)
    return app


class _Beside:
    """Leads socket.io's address past the web application."""

    def __init__(self, app: ASGIApp, channel: ASGIApp) -> None:
        self.app, self.channel = app, channel

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        beside = scope["type"] in ("http", "websocket") and scope.get("path", "").startswith(f"{socketio.PATH}/")
        await (self.channel if beside else self.app)(scope, receive, send)
