"""Who calls on Rasa's protocols: holders of the door's token, programs with a tenant's API key, or anyone."""

import hmac

from fastapi import Request

from empathy_r1.integrations import hosts
from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.errors import ForbiddenError, StorageUnavailableError, UnauthorizedError
from empathy_r1.plugin.tenants import PREFIX


def shown(request: Request) -> str:
    """What the caller shows: `Authorization: Bearer`, or `token` in the address."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else request.query_params.get("token", "")


async def tenant_of(engine: EmpathyEngine, token: str, own: str) -> str | None:
    """The tenant for whom the caller speaks: the API key's, else the door's `own`. None: the caller is refused."""
    expected = engine.settings.rasa_token
    try:
        if token.startswith(PREFIX):
            caller = await engine.tenants.by_key(token)
            caller.needs("chat")
            return caller.tenant
        if expected is None:
            return engine.tenants.stranger(own).tenant
    except StorageUnavailableError:
        # A post in crisis is answered with the database down too.
        return hosts.NOBODY
    except (ForbiddenError, UnauthorizedError):
        return None
    return own if hmac.compare_digest(token.encode(), expected.get_secret_value().encode()) else None
