"""Consent over HTTP, for the person and the host's programs; the audit log, for the latter."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from empathy_r1.integrations.web.access import ChatSession, Engine, ReadSession, holder
from empathy_r1.integrations.web.problems import answers
from empathy_r1.plugin.custody import AuditView, ConsentView
from empathy_r1.plugin.tenants import Caller


class Decision(BaseModel):
    """What the person agrees to, or does no longer."""

    model_config = ConfigDict(extra="forbid")

    purpose: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]{0,39}$", examples=["training"])]
    """`training` is the one that this project asks about; others are the host's."""
    version: Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,40}$", examples=["2026-01"])]
    """Of the text that the person saw."""
    given: bool


router = APIRouter(prefix="/v1", tags=["custody"])
_SESSION = answers("unauthorized", "forbidden", "session_not_found", "storage_unavailable")


@router.get("/sessions/{session_id}/consents", responses=_SESSION)
async def read_consents(session: ReadSession, engine: Engine) -> list[ConsentView]:
    """All that the person decided, oldest first. The newest entry of a purpose holds; without one the answer is no."""
    return await engine.custody.consents(session.id, tenant=session.tenant)


@router.post(
    "/sessions/{session_id}/consents",
    status_code=201,
    responses=_SESSION | answers("malformed_request", "body_too_large", "invalid_request"),
)
async def decide(session: ChatSession, decision: Decision, engine: Engine) -> ConsentView:
    """Adds the person's decision. A host's user decides for all of their sessions, anybody else for this one."""
    return await engine.custody.consent(
        session.id,
        decision.purpose,
        decision.version,
        given=decision.given,
        tenant=session.tenant,
        actor=session.actor,
    )


@router.get("/audit", responses=answers("unauthorized", "forbidden", "invalid_request", "storage_unavailable"))
async def read_audit(
    caller: Annotated[Caller, holder("admin")],
    engine: Engine,
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    subject: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,80}$")] = None,
) -> list[AuditView]:
    """Who did what to which id of the tenant, oldest first. It holds nothing that was said."""
    return await engine.custody.audit(tenant=caller.tenant, subject=subject, after=after, limit=limit)
