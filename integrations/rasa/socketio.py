"""Rasa's socket.io channel, for front ends that talk to Rasa: `session_request`, `user_uttered`, `bot_uttered`."""

import uuid
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp

from empathy_r1.integrations import hosts
from empathy_r1.integrations.rasa.access import tenant_of
from empathy_r1.integrations.rasa.rest import TENANT, whose
from empathy_r1.integrations.rasa.talk import answer
from empathy_r1.plugin.engine import EmpathyEngine

PATH = "/socket.io"


def build_channel(engine_of: Callable[[], EmpathyEngine], *, origins: list[str]) -> ASGIApp | None:
    """The channel as an application for `PATH`; None where python-socketio (the 'rasa' extra) is not installed.

    Args:
        engine_of: gives the engine once it is open.
        origins: whose pages may connect beside the server's own.
    """
    try:
        import socketio
    except ModuleNotFoundError:
        return None

    server = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins=origins or None)

    @server.on("connect")  # type: ignore[untyped-decorator]
    async def connect(sid: str, environ: dict[str, Any], auth: dict[str, Any] | None = None) -> bool:
        token = str((auth or {}).get("token", ""))
        await server.save_session(sid, {"token": token})
        return await tenant_of(engine_of(), token, TENANT) is not None

    @server.on("session_request")  # type: ignore[untyped-decorator]
    async def session_request(sid: str, data: dict[str, Any] | None = None) -> None:
        named = str((data or {}).get("session_id") or uuid.uuid4().hex)
        await server.save_session(sid, await server.get_session(sid) | {"sender": named})
        await server.emit("session_confirm", named, to=sid)

    @server.on("user_uttered")  # type: ignore[untyped-decorator]
    async def user_uttered(sid: str, data: dict[str, Any]) -> None:
        session = await server.get_session(sid)
        tenant = await tenant_of(engine_of(), session.get("token", ""), TENANT)
        if tenant is None:  # the key was revoked meanwhile
            await server.disconnect(sid)
            return
        sender = str(data.get("session_id") or session.get("sender") or sid)
        extra = data.get("metadata") or data.get("customData")
        key = data.get("message_id") or (extra.get("message_id") if isinstance(extra, dict) else None)
        text = data.get("message") or ""
        if not isinstance(text, str):
            await server.emit("bot_uttered", {"text": hosts.fallback(engine_of().settings.region)}, to=sid)
            return
        answers = await answer(
            engine_of(), whose(sender, tenant), text, tenant=tenant, message_id=str(key) if key else None
        )
        for one in answers:
            await server.emit("bot_uttered", one["custom"]["data"] if "custom" in one else one, to=sid)

    return socketio.ASGIApp(server, socketio_path=PATH.strip("/"))  # type: ignore[no-any-return]
