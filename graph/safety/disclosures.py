"""When a person is told that this is a machine, and when a break is offered: one scheduler, one table, any clock.

`due` is pure. A host keeps one small `DisclosureHistory` per person (times and rule ids only), calls `due`
when a session opens and at every message, shows what it returns, and keeps `noted(...)`. The table is a
superset of several laws (tables/disclosures.toml names them); it is no legal advice and no statement of compliance.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from empathy_r1.graph.labels import Locale
from empathy_r1.graph.safety._tables import load
from empathy_r1.graph.safety.help import country_of

When = Literal["start", "every", "absence", "asked", "break"]

_TABLE = load("disclosures")
_PAUSE = timedelta(minutes=_TABLE["pause_minutes"])


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One notice to show."""

    id: str
    when: When
    text: str
    laws: tuple[str, ...]
    """Where the row was drawn from."""


@dataclass(frozen=True, slots=True)
class DisclosureHistory:
    """What was shown to one person, and when that person was here. Times are in UTC."""

    last_seen: datetime | None = None
    """The last message."""
    using_since: datetime | None = None
    """Begin of the present stretch of use without a pause."""
    started: bool = False
    """Whether this session has had its start notice."""
    shown: Mapping[str, datetime] = field(default_factory=dict)
    """Group of rules -> when one of them was last shown."""

    def as_json(self) -> dict[str, Any]:
        """The history as JSON values."""
        return {
            "last_seen": self.last_seen.isoformat() if self.last_seen else None,
            "using_since": self.using_since.isoformat() if self.using_since else None,
            "started": self.started,
            "shown": {group: at.isoformat() for group, at in self.shown.items()},
        }

    @classmethod
    def of(cls, data: Mapping[str, Any] | None) -> "DisclosureHistory":
        """The history in `data`; what is missing or malformed counts as never shown."""
        data = data or {}
        raw = data.get("shown")
        shown = {str(k): at for k, v in raw.items() if (at := _time(v))} if isinstance(raw, Mapping) else {}
        return cls(
            last_seen=_time(data.get("last_seen")),
            using_since=_time(data.get("using_since")),
            started=data.get("started") is True,
            shown=shown,
        )


def due(
    history: DisclosureHistory,
    *,
    now: datetime,
    region: str | None,
    locale: Locale,
    minor: bool = False,
    asked: bool = False,
) -> list[Disclosure]:
    """What is to be shown at this moment.

    Args:
        history: what was shown before.
        now: the time, with a zone.
        region: ISO 3166-1 alpha-2 country; None if unknown.
        locale: language of the texts.
        minor: whether the person is known to be a minor.
        asked: whether the person has just asked what they are talking with.

    Raises:
        ValueError: `now` has no time zone.
    """
    now = _aware(now)
    since = _using_since(history, now)
    rules = [row for row in _rules(region, minor) if _is_due(row, history, now, since, asked)]
    if any(row["when"] == "start" for row in rules):
        # The start notice says what the repeated ones say.
        rules = [row for row in rules if row["when"] not in ("absence", "every")]
    elif any(row["when"] == "absence" for row in rules):
        rules = [row for row in rules if row["when"] != "every"]
    return [Disclosure(row["id"], row["when"], row[locale], tuple(row["laws"])) for row in rules]


def seen(history: DisclosureHistory, *, now: datetime) -> DisclosureHistory:
    """The history after a message at `now`."""
    now = _aware(now)
    return replace(history, last_seen=now, using_since=_using_since(history, now))


def noted(history: DisclosureHistory, shown: Iterable[Disclosure], *, now: datetime) -> DisclosureHistory:
    """The history after `shown` was shown in answer to a message at `now`."""
    now = _aware(now)
    shown = list(shown)
    groups = {row["id"]: row["group"] for row in _TABLE["rule"]}
    times = dict(history.shown) | {groups[d.id]: now for d in shown}
    started = history.started or any(d.when == "start" for d in shown)
    return replace(seen(history, now=now), shown=times, started=started)


def opened(history: DisclosureHistory) -> DisclosureHistory:
    """The history at the opening of a new session, which gets its own start notice."""
    return replace(history, started=False)


def rows(locale: Locale) -> list[dict[str, Any]]:
    """The table for the published protocol."""
    keys = ("id", "when", "hours", "days", "regions", "minor", "laws")
    return [{k: row[k] for k in keys if k in row} | {"text": row[locale]} for row in _TABLE["rule"]]


def _is_due(row: Mapping[str, Any], history: DisclosureHistory, now: datetime, since: datetime, asked: bool) -> bool:
    last = history.shown.get(row["group"])
    match row["when"]:
        case "start":
            return not history.started
        case "asked":
            return asked
        case "absence":
            return history.last_seen is not None and now - history.last_seen >= timedelta(days=row["days"])
        case "every":
            # The start notice, the answer to a question and the notice after an absence say the same.
            told = max((t for g in ("start", "every", "absence", "asked") if (t := history.shown.get(g))), default=None)
            return told is not None and history.started and now - told >= timedelta(hours=row["hours"])
        case _:
            begin = since if last is None else max(since, last)
            return now - begin >= timedelta(hours=row["hours"])


def _rules(region: str | None, minor: bool) -> list[dict[str, Any]]:
    """The rows that hold for a person: of each group the one with the shortest interval, made for minors first."""
    country = country_of(region)
    best: dict[str, dict[str, Any]] = {}
    for row in _TABLE["rule"]:
        here = "*" in row["regions"] or country in row["regions"]
        if not here or (row.get("minor", False) and not minor):
            continue
        held = best.get(row["group"])
        if held is None or _order(row) < _order(held):
            best[row["group"]] = row
    return list(best.values())


def _order(row: Mapping[str, Any]) -> tuple[float, bool]:
    return row.get("hours", 0), not row.get("minor", False)


def _using_since(history: DisclosureHistory, now: datetime) -> datetime:
    if history.last_seen is None or history.using_since is None or now - history.last_seen >= _PAUSE:
        return now
    return min(history.using_since, now)


def _aware(now: datetime) -> datetime:
    if now.tzinfo is None:
        raise ValueError("`now` has no time zone. Expected an aware time: pass datetime.now(UTC).")
    return now.astimezone(UTC)


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    return time.astimezone(UTC) if time.tzinfo else None
