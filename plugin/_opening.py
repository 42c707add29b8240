"""New sessions: their ids, tokens, and what is shown before the first post."""

import hashlib
import json
import secrets
import uuid
from typing import Any

from empathy_r1.graph.labels import Locale
from empathy_r1.plugin._notices import Person, at_opening
from empathy_r1.plugin._parts import Parts, stored
from empathy_r1.plugin.settings import DoubleTexting
from empathy_r1.plugin.views import SessionCreated


async def open_session(
    parts: Parts,
    *,
    tenant: str,
    locale: Locale | None,
    region: str | None,
    metadata: dict[str, Any],
    external_user: str | None,
    double_texting: DoubleTexting | None,
    minor: bool,
) -> SessionCreated:
    """A new session with a token of its own."""
    session_id, token = f"s_{uuid.uuid4().hex}", secrets.token_urlsafe(24)
    settings = parts.settings
    with stored():
        before = await parts.sessions.notices_of_user(tenant, external_user) if external_user else None
        person = Person(region or settings.region, minor)
        shown, history = at_opening(before, person, locale or settings.locale, parts.clock())
        await parts.sessions.create(
            session_id,
            tenant=tenant,
            token=token,
            locale=locale,
            region=region,
            double_texting=double_texting or settings.double_texting,
            metadata=metadata,
            external_user=external_user,
            minor=minor,
            disclosures=history,
        )
    return SessionCreated(session_id=session_id, token=token, disclosures=shown)


async def session_of_user(
    parts: Parts, external_user: str, *, tenant: str, locale: Locale | None, region: str | None, minor: bool
) -> str:
    """Id of the one session of a host's user, which follows from tenant and user.

    It has shown no notice yet: the first post brings those of the start.
    """
    named = json.dumps(["session_for", tenant, external_user])
    session_id = f"u_{hashlib.sha256(named.encode()).hexdigest()[:32]}"
    with stored():
        await parts.sessions.ensure(
            session_id,
            tenant=tenant,
            token=secrets.token_urlsafe(24),
            locale=locale,
            region=region,
            double_texting=parts.settings.double_texting,
            external_user=external_user,
            minor=minor,
        )
    return session_id
