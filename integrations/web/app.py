"""The HTTP application: the chat page, the chat API, and operations, over one engine.

uvicorn.run(create_app(Settings()))
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.datastructures import MutableHeaders
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from empathy_r1.integrations.web import custody, metrics, operations, pages, problems, sessions, turns, users
from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.settings import Settings

OpenEngine = Callable[[Settings], AbstractAsyncContextManager[EmpathyEngine]]


def create_app(
    settings: Settings, *, open_engine: OpenEngine = EmpathyEngine.open, own_bounds: tuple[str, ...] = ()
) -> FastAPI:
    """The application. Its lifespan opens the engine and drains it at the end.

    Args:
        settings: of the engine, and which origins may call.
        open_engine: what makes the engine of `settings`.
        own_bounds: beginnings of paths whose routes bound their bodies themselves.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_engine(settings) as engine:
            app.state.engine = engine
            yield

    app = FastAPI(
        title="Empathy-R1",
        version=_version(),
        summary="Chain-of-Empathy replies to long posts. Support, not therapy; not for emergencies.",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        docs_url=None,  # both pages would load scripts from elsewhere
        redoc_url=None,
    )
    for router in (sessions.router, turns.router, users.router, custody.router, operations.router, pages.router):
        app.include_router(router)
    problems.install(app)
    app.add_middleware(_Bounded, limit=body_limit(settings.max_post_chars), but=own_bounds)
    app.add_middleware(_Frame)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID"],
            expose_headers=["Retry-After"],
        )
    _describe(app)
    return app


def body_limit(max_post_chars: int) -> int:
    """Most bytes of a request body: a post of escaped surrogate pairs takes 12 bytes a character."""
    return 12 * max_post_chars + 16_384


class _Bounded:
    """Refuses bodies of more than `limit` bytes, but for paths that begin with one of `but`."""

    def __init__(self, app: ASGIApp, limit: int, but: tuple[str, ...]) -> None:
        # Not FastAPI's own `max_body_size`: that one stands outside of every middleware, and answers in plain text.
        self.bounded = RequestBodyLimitMiddleware(app, max_body_size=limit)
        self.app, self.but = app, but

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        free = scope.get("path", "").startswith(self.but) if self.but else False
        await (self.app if free else self.bounded)(scope, receive, send)


class _Frame:
    """Counts every answer and puts the headers on it that all answers share."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        refused = False

        async def framed(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start":
                kind = MutableHeaders(raw=message["headers"]).get("content-type", "")
                # The framework refuses a declared length that is too large in words of its own.
                refused = message["status"] == 413 and kind.startswith("text/plain")
                if refused:
                    detail = "The body is larger than this route takes."
                    await problems.problem(Request(scope), "body_too_large", detail)(scope, receive, counted)
            if not refused:
                await counted(message)

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
                route = getattr(scope.get("route"), "path", "other")
                metrics.count("empathy_r1_http_requests_total", route=route, status=str(message["status"]))
            await send(message)

        await self.app(scope, receive, framed)


def _describe(app: FastAPI) -> None:
    """Adds the problem document to the OpenAPI schema, and takes out the framework's own error form."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = plain()
            forms = schema.setdefault("components", {}).setdefault("schemas", {})
            forms["Problem"] = problems.Problem.model_json_schema()
            invalid = problems.answers("invalid_request")[422]
            for path in schema["paths"].values():
                for operation in path.values():
                    if "HTTPValidationError" in str(operation["responses"].get("422", "")):
                        operation["responses"]["422"] = invalid
            for unused in ("HTTPValidationError", "ValidationError"):
                forms.pop(unused, None)
        return app.openapi_schema or schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's documented way to extend the schema


def _version() -> str:
    try:
        return version("empathy-r1")
    except PackageNotFoundError:
        return "0"
