"""New sessions: their ids, tokens, and what is shown before the first post."""

import hashlib
import json
import secrets
import uuid
from datetime import UTC, datetime
from typing import Any

from empathy_r1.graph import safety
from empathy_r1.graph.labels import Locale
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
) -> SessionCreated:
    """A new session with a token of its own."""
    session_id, token = f"s_{uuid.uuid4().hex}", secrets.token_urlsafe(24)
    with stored():
        await parts.sessions.create(
            session_id,
            tenant=tenant,
            token=token,
            locale=locale,
            region=region,
            double_texting=double_texting or parts.settings.double_texting,
            metadata=metadata,
            external_user=external_user,
        )
    shown = _at_start(locale or parts.settings.locale, region or parts.settings.region)
    return SessionCreated(session_id=session_id, token=token, disclosures=shown)


async def session_of_user(
    parts: Parts, external_user: str, *, tenant: str, locale: Locale | None, region: str | None
) -> str:
    """Id of the one session of a host's user, which follows from tenant and user."""
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
        )
    return session_id


def _at_start(locale: Locale | None, region: str | None) -> list[dict[str, Any]]:
    """The disclosures of a new session, in both languages where its language is open."""
    languages: tuple[Locale, ...] = (locale,) if locale else ("zh", "en")
    return [
        {"id": row.id, "when": row.when, "text": row.text}
        for language in languages
        for row in safety.due(
            safety.DisclosureHistory(), now=datetime.now(UTC), region=region, locale=language, minor=False
        )
    ]
