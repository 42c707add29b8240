"""Talks for training: those whose person agrees to it, and nobody else's.

What is written is the dialogue format that `empathy-r1 data clean` reads. An export is a snapshot: consent that is
withdrawn afterwards, and a session that is erased, are missing from the next one. So the file is made anew before each
training, and the old one is deleted.
"""

import json
import os
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from empathy_r1.graph import safety
from empathy_r1.graph.labels import Locale
from empathy_r1.graph.text import locale_of
from empathy_r1.storage import Consents, Database, Journal, KeyRing, SessionRecord, Sessions, TurnRecord, audit
from empathy_r1.storage.consents import TRAINING

ACTION = "session.exported_for_training"
_CALM = ("none", "concern")
_WRITTEN = (None, "one_pass")
"""Of `TurnRecord.degraded`: the model wrote the reply."""

Scrub = Callable[[str, Locale], tuple[str, int]]
"""Replaces what points to a person; returns the text and how often that was needed."""


async def export(
    database: Database, ring: KeyRing, out: Path, *, tenant: str, scrub: Scrub, crises: bool = False, actor: str
) -> dict[str, int]:
    """Writes one line a session to `out`, readable by its owner only, and an audit entry for each session.

    Left out: sessions without a consent that holds, before the reading and after it; minors, whatever the ledger says;
    turns that failed; and, unless `crises`, the turns of a crisis. Of a reply that the model did not write, such as the
    safe one, only the post is kept.

    Args:
        database: where the sessions are.
        ring: opens their texts.
        out: the file, made anew in one go.
        tenant: whose sessions.
        scrub: for each text.
        crises: keeps the turns of a crisis.
        actor: named in the audit log.

    Returns:
        `sessions` and `turns` that were written, `crisis_turns` and `minors` that were left out, `scrubbed` places.
    """
    consents, sessions, journal = Consents(database), Sessions(database, ring), Journal(database, ring, owner="export")
    told = {"sessions": 0, "turns": 0, "crisis_turns": 0, "minors": 0, "scrubbed": 0}
    lines: dict[str, dict[str, Any]] = {}
    for session_id in await consents.sessions_with(TRAINING):
        record = await sessions.get(session_id)
        if record is None or record.tenant != tenant:
            continue
        if record.minor:
            told["minors"] += 1
            continue
        turns = [turn for turn in await journal.of_session(session_id) if turn.status == "committed"]
        calm = [turn for turn in turns if crises or _calm(turn)]
        told["crisis_turns"] += len(turns) - len(calm)
        if calm:
            lines[session_id] = _line(record, calm, scrub, told)
    # Whoever withdrew, or was erased, while others were read is not written.
    agreed = set(await consents.sessions_with(TRAINING))
    kept = {session_id: line for session_id, line in lines.items() if session_id in agreed}
    async with database.write() as db:
        for session_id, line in kept.items():
            await audit.write(db, ACTION, [session_id], tenant=tenant, actor=actor, counts={"turns": _posts(line)})
        _write(out, list(kept.values()))
    told["sessions"] = len(kept)
    told["turns"] = sum(map(_posts, kept.values()))
    return told


def _calm(turn: TurnRecord) -> bool:
    """Whether neither the screen of its day nor today's saw a crisis."""
    return turn.level in _CALM and not safety.screen(turn.post).alarm


def _line(record: SessionRecord, turns: Sequence[TurnRecord], scrub: Scrub, told: dict[str, int]) -> dict[str, Any]:
    locale = cast("Locale", record.locale) if record.locale in ("zh", "en") else locale_of(turns[0].post)
    dialogue = []
    for turn in turns:
        said = [("user", turn.post)]
        if turn.reply and turn.degraded in _WRITTEN:
            said.append(("assistant", turn.reply))
        for role, text in said:
            clean, count = scrub(text, locale)
            told["scrubbed"] += count
            dialogue.append({"role": role, "text": clean})
    # The digest finds the line of a session again, and says nothing to those who do not hold the session.
    digest = sha256(f"{TRAINING}:{record.id}".encode()).hexdigest()[:24]
    return {"id": digest, "locale": locale, "replies_written_by": "AI", "dialogue": dialogue}


def _posts(line: dict[str, Any]) -> int:
    return sum(turn["role"] == "user" for turn in line["dialogue"])


def _write(out: Path, lines: Sequence[dict[str, Any]]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = out.with_name(out.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    os.replace(fresh, out)
