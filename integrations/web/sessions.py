"""Sessions over HTTP: create, read, export, erase."""

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from empathy_r1.graph.labels import Locale
from empathy_r1.graph.safety.help import country_of
from empathy_r1.integrations.web.access import ChatSession, Creator, Engine, EraseSession, ReadSession
from empathy_r1.integrations.web.problems import answers
from empathy_r1.plugin.errors import UnauthorizedError
from empathy_r1.plugin.settings import DoubleTexting
from empathy_r1.plugin.views import Contact, Receipt, SessionCreated, SessionView

METADATA_BYTES = 4096


def _country(region: str | None) -> str | None:
    """The country, or its part where one is named, such as US-IL: some laws are a state's."""
    country = country_of(region)
    if region is not None and country is None:
        raise ValueError("expected an ISO 3166-1 alpha-2 country such as CN, or a part of one such as US-IL")
    part = (region or "").strip().upper()
    return part if country and re.fullmatch(rf"{country}-[A-Z0-9]{{1,3}}", part) else country


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(metadata, ensure_ascii=False).encode()) > METADATA_BYTES:
        raise ValueError(f"expected at most {METADATA_BYTES} bytes of JSON")
    return metadata


class NewSession(BaseModel):
    """What is known about the person's side; everything is optional."""

    model_config = ConfigDict(extra="forbid")

    locale: Locale | None = None
    """Language of replies and notices; without it replies follow the posts."""
    region: Annotated[str | None, Field(max_length=35), AfterValidator(_country)] = None
    """Country of the help lines, ISO 3166-1 alpha-2; or a part of it, such as US-IL."""
    minor: bool = False
    """Whether the host knows that the person is under age."""
    double_texting: DoubleTexting | None = None
    """What happens to a post that comes while another is answered: it waits, is refused, stops the other, or is
    answered together with those that wait."""
    metadata: Annotated[dict[str, Any], AfterValidator(_small)] = {}
    """The host's own data about the session, up to 4 kB of JSON."""
    user: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    """The host's own id of the person, for export and erasure of all of their sessions; only with an API key."""


class NewContact(BaseModel):
    """Somebody whom the person wants to be told in a crisis."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=80)]
    reach: Annotated[str, Field(min_length=3, max_length=200)]
    """How to reach them: a number, an address."""
    relation: Annotated[str | None, Field(max_length=80)] = None
    consent: Literal[True]
    """That the person agrees: the contact may be told when the screen sees a crisis."""
    consent_version: Annotated[str, Field(min_length=1, max_length=40)] = "1"
    """Which text the person agreed to."""


class Limits(BaseModel):
    """What a client should know before it sends."""

    max_post_chars: int


class CreatedSession(SessionCreated):
    """A new session; `token` is shown once."""

    limits: Limits


class ShownSession(SessionView):
    """A session with its turns, oldest first."""

    limits: Limits


router = APIRouter(prefix="/v1/sessions", tags=["sessions"])
_HELD = answers("unauthorized", "forbidden", "session_not_found", "storage_unavailable")


@router.post(
    "",
    status_code=201,
    responses=answers(
        *("malformed_request", "unauthorized", "forbidden", "body_too_large", "invalid_request", "storage_unavailable")
    ),
)
async def create_session(engine: Engine, caller: Creator, new: NewSession | None = None) -> CreatedSession:
    """Opens a session of the API key's tenant. Its token opens everything else, and is not given out again."""
    new = new or NewSession()
    if new.user is not None and caller.actor == "anyone":
        raise UnauthorizedError("API key")
    made = await engine.create_session(
        locale=new.locale,
        region=new.region,
        metadata=new.metadata or None,
        tenant=caller.tenant,
        external_user=new.user,
        minor=new.minor,
        double_texting=new.double_texting,
    )
    return CreatedSession(**made.model_dump(), limits=_limits(engine))


@router.get("/{session_id}", responses=_HELD)
async def read_session(session: ReadSession, engine: Engine) -> ShownSession:
    """The session with its turns."""
    view = await engine.session(session.id, tenant=session.tenant)
    return ShownSession(**view.model_dump(), limits=_limits(engine))


@router.get("/{session_id}/export", responses=_HELD)
async def export_session(session: ReadSession, engine: Engine, response: Response) -> dict[str, Any]:
    """Everything held about the session, with the label that an AI wrote the replies."""
    response.headers["Content-Disposition"] = 'attachment; filename="empathy-r1-export.json"'
    return await engine.export(session.id, tenant=session.tenant, actor=session.actor)


@router.put("/{session_id}/contact", status_code=204, responses=_HELD | answers("malformed_request", "invalid_request"))
async def set_contact(session: ChatSession, engine: Engine, new: NewContact) -> None:
    """Keeps, encrypted, whom the person wants to be told in a crisis. Goes out with a handover and nowhere else."""
    held = Contact(**new.model_dump(exclude={"consent"}), consented=datetime.now(UTC))
    await engine.set_contact(session.id, held, tenant=session.tenant, actor=session.actor)


@router.delete("/{session_id}/contact", status_code=204, responses=_HELD)
async def forget_contact(session: ChatSession, engine: Engine) -> None:
    """Takes the consent back and forgets the contact."""
    await engine.set_contact(session.id, None, tenant=session.tenant, actor=session.actor)


@router.delete("/{session_id}", responses=_HELD)
async def erase_session(session: EraseSession, engine: Engine) -> Receipt:
    """Erases everything held about the session; a running turn is stopped first. The receipt holds no content."""
    return await engine.erase(session.id, tenant=session.tenant, actor=session.actor)


def _limits(engine: Engine) -> Limits:
    return Limits(max_post_chars=engine.settings.max_post_chars)
