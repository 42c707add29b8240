"""The host's own users, for the host's programs: everything held about one, exported or erased.

The user's id stands in the body: addresses end up in logs.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from empathy_r1.integrations.web.access import Engine, holder
from empathy_r1.integrations.web.problems import answers
from empathy_r1.plugin.tenants import Caller
from empathy_r1.plugin.views import Receipt


class User(BaseModel):
    """One of the tenant's own users."""

    model_config = ConfigDict(extra="forbid")

    user: Annotated[str, Field(min_length=1, max_length=200)]
    """The host's own id of the person, as it was given when the sessions were opened."""


router = APIRouter(prefix="/v1/users", tags=["users"])
_ANSWERS = answers(
    *("malformed_request", "unauthorized", "forbidden", "body_too_large", "invalid_request", "storage_unavailable")
)


@router.post("/export", responses=_ANSWERS)
async def export_user(
    who: User, caller: Annotated[Caller, holder("read")], engine: Engine, response: Response
) -> dict[str, Any]:
    """Everything held about all sessions of the user."""
    response.headers["Content-Disposition"] = 'attachment; filename="empathy-r1-export.json"'
    return await engine.export_user(who.user, tenant=caller.tenant, actor=caller.actor)


@router.post("/erase", responses=_ANSWERS)
async def erase_user(who: User, caller: Annotated[Caller, holder("erase")], engine: Engine) -> Receipt:
    """Erases everything held about all sessions of the user. The receipt holds no content."""
    return await engine.erase_user(who.user, tenant=caller.tenant, actor=caller.actor)
