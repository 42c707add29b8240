"""The way in for a post: idempotency, caps, double texting, notices, and the row that promises an answer.

A turn is admitted whole or not at all: no cap stands between its stages. A crisis passes every cap.
"""

import asyncio
import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from empathy_r1.graph import safety
from empathy_r1.graph.labels import Locale
from empathy_r1.graph.text import locale_of
from empathy_r1.plugin._crisis import answer_crisis
from empathy_r1.plugin._notices import Person, with_post
from empathy_r1.plugin._parts import SILENCE_SECONDS, Parts, stored
from empathy_r1.plugin._worker import Worker
from empathy_r1.plugin.errors import (
    DrainingError,
    IdempotencyConflictError,
    OverloadedError,
    SessionBusyError,
    SessionNotFoundError,
)
from empathy_r1.plugin.events import Accepted, Event, Safety
from empathy_r1.storage import SessionRecord
from empathy_r1.storage.admission import NewTurn, Scene, Waiting


@dataclass(frozen=True, slots=True)
class Arrival:
    """A post at the door."""

    post: str
    screening: safety.Screening
    key: str | None
    tenant: str | None


async def accept(parts: Parts, worker: Worker, session_id: str, arrival: Arrival) -> str:
    """Takes the post in and returns its turn's id. A post that raises an alarm is answered already.

    Raises:
        SessionNotFoundError: no such session for this caller.
        IdempotencyConflictError: the key stands for another post.
        DrainingError: this process stops.
        SessionBusyError: the session answers another post, and refuses a second.
        OverloadedError: a cap is reached, or the model is away.
        StorageUnavailableError: the database does not answer.
    """
    turn_id, alarm = f"t_{uuid.uuid4().hex}", arrival.screening.alarm
    digest = hashlib.sha256(arrival.post.encode()).hexdigest()
    place = worker.reserve() if not alarm else None
    try:
        with stored():
            # A person in crisis does not wait for a database that says nothing.
            async with asyncio.timeout(SILENCE_SECONDS if alarm else None):
                admitted = await parts.journal.admit(
                    session_id,
                    arrival.key,
                    lambda scene: _decide(parts, worker, arrival, scene, turn_id, digest, begin=place is not None),
                    lease=parts.settings.lease_seconds,
                    history=parts.settings.max_history,
                )
        if admitted is None or not _may(arrival.tenant, admitted.session):
            raise SessionNotFoundError(session_id)
        if admitted.known:
            if admitted.turn.body_digest != digest:
                raise IdempotencyConflictError
            return admitted.turn.id
        if admitted.begun and place is not None:
            place.begin((admitted.turn, admitted.session, list(admitted.past)))
            parts.news.publish(turn_id, _first(turn_id, session_id, list(admitted.turn.notices)))
    finally:
        if place is not None:
            place.give_back()
    with stored():
        if alarm:
            async with asyncio.timeout(SILENCE_SECONDS):
                await answer_crisis(parts, admitted.session, admitted.turn)
        elif not admitted.begun:
            worker.expect(turn_id, _pause(parts, admitted.session))
        if admitted.session.double_texting == "interrupt":
            for other in admitted.waiting:
                await worker.cancel(other.id)
    return turn_id


def _decide(
    parts: Parts, worker: Worker, arrival: Arrival, scene: Scene, turn_id: str, digest: str, *, begin: bool
) -> NewTurn:
    """What becomes of the post in this session; runs inside the transaction."""
    session, settings, alarm = scene.session, parts.settings, arrival.screening.alarm
    if not _may(arrival.tenant, session):
        raise SessionNotFoundError(session.id)
    joins: tuple[Waiting, ...] = ()
    if not alarm:
        joins = _joins(scene, arrival.post, settings.max_post_chars)
        _refuse(worker, scene, len(scene.waiting) - len(joins), begin=begin)
    locale: Any = session.locale or settings.locale or locale_of(arrival.post)
    notices, history = _notices(parts, arrival, session, locale)
    not_before = None
    if alarm:
        # It is answered right here; should this process die over it, any worker does.
        not_before = datetime.now(UTC) + timedelta(seconds=settings.lease_seconds)
    elif pause := _pause(parts, session):
        first = min((turn.created for turn in joins), default=datetime.now(UTC))
        last = first + timedelta(seconds=settings.coalesce_most_seconds)
        not_before = min(datetime.now(UTC) + timedelta(seconds=pause), last)
    return NewTurn(
        id=turn_id,
        post=arrival.post,
        body_digest=digest,
        events=[event.model_dump(mode="json") for event in _first(turn_id, session.id, notices)],
        notices=notices,
        disclosures=history,
        begin=begin and not_before is None,
        not_before=not_before,
        joins=tuple(turn.id for turn in joins),
    )


def _refuse(worker: Worker, scene: Scene, waiting: int, *, begin: bool) -> None:
    settings = worker.settings
    if worker.draining:
        raise DrainingError
    if waiting and scene.session.double_texting == "reject":
        raise SessionBusyError
    if waiting >= settings.session_max_open:
        raise OverloadedError("This session", worker.wait_seconds(waiting))
    if scene.tenant_open >= settings.tenant_max_open:
        raise OverloadedError("This host", worker.wait_seconds(scene.tenant_open))
    if worker.open_turns - begin >= settings.process_max_open:  # the place kept for this post counts already
        raise OverloadedError("This process", worker.wait_seconds(worker.open_turns))
    if seconds := worker.breaker.seconds:
        raise OverloadedError("The model", seconds)
    rate = settings.tenant_rates.get(scene.session.tenant, settings.posts_per_minute)
    if rate is not None and (seconds := scene.count(rate)):
        raise OverloadedError("This host's rate of posts", seconds)


def _joins(scene: Scene, post: str, limit: int) -> tuple[Waiting, ...]:
    """The posts that wait and are answered together with this one: the newest, as long as all fit in one."""
    if scene.session.double_texting != "coalesce":
        return ()
    room = limit - len(post)
    joined: list[Waiting] = []
    for turn in reversed(scene.waiting):
        room -= turn.bytes
        if turn.status != "accepted" or room < 0:
            break
        joined.append(turn)
    return tuple(reversed(joined))


def _notices(
    parts: Parts, arrival: Arrival, session: SessionRecord, locale: Locale
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    region = session.region or parts.settings.region
    in_crisis = safety.holds(arrival.screening, arrival.post, state=session.crisis, locale=locale)
    person = Person(region, session.minor)
    return with_post(session.disclosures, person, locale, arrival.post, parts.clock(), in_crisis=in_crisis)


def _first(turn_id: str, session_id: str, notices: list[dict[str, Any]]) -> list[Event]:
    events: list[Event] = [Accepted(seq=1, turn_id=turn_id, session_id=session_id)]
    if notices:
        events.append(Safety(seq=2, turn_id=turn_id, level="none", disclosures=notices))
    return events


def _pause(parts: Parts, session: SessionRecord) -> float:
    return parts.settings.coalesce_seconds if session.double_texting == "coalesce" else 0.0


def _may(tenant: str | None, session: SessionRecord) -> bool:
    return tenant is None or tenant == session.tenant
