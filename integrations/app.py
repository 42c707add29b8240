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
    app = web.create_app(settings, open_engine=open_engine)
    app.include_router(openai.router)
    rasa = FastAPI(openapi_url=None)
    for router in (actions.router, rest.router):
        rasa.include_router(router)
    rasa.state = app.state
    channel = socketio.build_channel(
        lambda: cast(EmpathyEngine, app.state.engine),
        origins=settings.cors_origins,
        token=settings.rasa_token.get_secret_value() if settings.rasa_token else None,
    )
    app.add_middleware(_Beside, rasa=rasa, channel=channel)
    return app


class _Beside:
    """Leads Rasa's addresses past the web application: its bound on bodies is too low for Rasa's long histories."""

    def __init__(self, app: ASGIApp, rasa: ASGIApp, channel: ASGIApp | None) -> None:
        self.app, self.rasa, self.channel = app, rasa, channel

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and path.startswith(("/rasa/", "/webhooks/")):
            return await self.rasa(scope, receive, send)
        if scope["type"] in ("http", "websocket") and path.startswith(f"{socketio.PATH}/") and self.channel is not None:
            return await self.channel(scope, receive, send)
        await self.app(scope, receive, send)
