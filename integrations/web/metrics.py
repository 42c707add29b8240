"""What `GET /metrics` counts, in the Prometheus text format: numbers and closed sets of names, no personal data."""

from collections import Counter
from collections.abc import AsyncIterator

from empathy_r1.plugin.events import Event, StageDone
from empathy_r1.plugin.views import Health

_HELP = {
    "empathy_r1_http_requests_total": ("counter", "Answered HTTP requests, by route and status."),
    "empathy_r1_events_total": ("counter", "Events of the turns that came in here, by type."),
    "empathy_r1_safety_total": ("counter", "Turns of which the screen saw a risk, by level and kind."),
    "empathy_r1_help_shown_total": ("counter", "Turns with which help lines were shown."),
    "empathy_r1_stage_seconds_sum": ("counter", "Seconds spent in a stage."),
    "empathy_r1_stage_seconds_count": ("counter", "Finished stages."),
    "empathy_r1_turns_running": ("gauge", "Turns that this process answers."),
    "empathy_r1_ready": ("gauge", "1 where this process takes posts."),
}
_VALUES: Counter[tuple[str, str]] = Counter()


def count(name: str, value: float = 1, **labels: str) -> None:
    """Adds to a counter. Label values come from closed sets only."""
    text = ",".join(f'{key}="{label}"' for key, label in labels.items())
    _VALUES[name, text] += value  # type: ignore[assignment]  # a Counter of floats counts as well


async def counted(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    """The same events, counted as they pass."""
    async for event in events:
        count("empathy_r1_events_total", type=event.type)
        if isinstance(event, StageDone):
            count("empathy_r1_stage_seconds_sum", event.seconds, stage=event.name)
            count("empathy_r1_stage_seconds_count", stage=event.name)
        if event.type == "safety":
            for kind in event.kinds:
                count("empathy_r1_safety_total", level=event.level, kind=kind)
            if event.card:
                count("empathy_r1_help_shown_total")
        yield event


def page(health: Health | None) -> str:
    """Everything counted since the process started, and how it is."""
    values: dict[tuple[str, str], float] = dict(_VALUES)
    if health is not None:
        values["empathy_r1_turns_running", ""] = health.running
    values["empathy_r1_ready", ""] = int(health is not None and health.ready)
    lines = []
    for name, (kind, words) in _HELP.items():
        rows = sorted((labels, value) for (of, labels), value in values.items() if of == name)
        if rows:
            lines += [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]
            lines += [f"{name}{{{labels}}} {value:g}" if labels else f"{name} {value:g}" for labels, value in rows]
    return "\n".join(lines) + "\n"
