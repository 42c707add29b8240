"""Counts over the corpus: what it holds, how long the texts are, and which openings and closings come back.

python -m empathy_r1.training.corpus.statistics
"""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from empathy_r1.graph.labels import EMOTIONS, INTENTIONS
from empathy_r1.training.corpus.loader import load
from empathy_r1.training.corpus.plan import TOPICS
from empathy_r1.training.corpus.schema import Record
from empathy_r1.training.corpus.validate import HEAD, POST, length, units


def table(records: Sequence[Record]) -> str:
    """The statistics of `records` as Markdown."""
    lines = ["| count | zh | en |", "|---|---|---|"]
    parts = [[r for r in records if r.locale == locale] for locale in POST]
    rows = {
        "records": [len(p) for p in parts],
        "with a second good reply": [sum(r.reply_alternative is not None for r in p) for p in parts],
        "with rejected replies": [sum(bool(r.rejected) for r in p) for p in parts],
        "rejected replies": [sum(len(r.rejected) for r in p) for p in parts],
        "about somebody else": [sum(r.about_other for r in p) for p in parts],
        "read by somebody besides the writer": [sum(bool(r.read_by) for r in p) for p in parts],
        "topics of 30": [len({r.topic for r in p}) for p in parts],
        "sub-topics of 150": [len({(r.topic, r.subtopic) for r in p}) for p in parts],
        "post, median length": [_median([length(r.post, r.locale) for r in p]) for p in parts],
        "reply, median length": [_median([length(r.reply, r.locale) for r in p]) for p in parts],
        "inferred causes": [sum(not c.stated for r in p for c in r.causes) for p in parts],
        "stated causes": [sum(c.stated for r in p for c in r.causes) for p in parts],
        "replies ending in a question": [sum(r.reply[-1] in "?？" for r in p) for p in parts],
    }
    lines += [f"| {name} | {zh} | {en} |" for name, (zh, en) in rows.items()]
    lines += ["", _counted("Levels", Counter(r.level for r in records))]
    lines += [_counted("Splits", Counter(r.split for r in records))]
    lines += [_counted("Topics", Counter(r.topic for r in records), [t.key for t in TOPICS])]
    felt = Counter(e.label for r in records for e in r.emotions)
    lines += [_counted("Emotions", felt, [label.key for label in EMOTIONS])]
    wanted = Counter(k for r in records for k in (r.intention.primary, *r.intention.secondary))
    lines += [_counted("Intentions", wanted, [label.key for label in INTENTIONS])]
    lines += [_counted("Tiers of rejected replies", Counter(x.tier for r in records for x in r.rejected))]
    for name, ends in (
        ("post openings", [units(r.post, r.locale)[: HEAD[r.locale]] for r in records]),
        ("post closings", [units(r.post, r.locale)[-HEAD[r.locale] :] for r in records]),
        ("reply openings", [units(r.reply, r.locale)[: HEAD[r.locale]] for r in records]),
        ("reply closings", [units(r.reply, r.locale)[-HEAD[r.locale] :] for r in records]),
    ):
        times = Counter(ends)
        lines.append(
            f"- {name}: {len(times)} different; the most frequent occurs {max(times.values(), default=0)} times"
        )
    return "\n".join(lines)


def _median(lengths: Sequence[int]) -> int:
    return round(median(lengths)) if lengths else 0


def _counted(name: str, times: Counter[str], keys: Sequence[str] = ()) -> str:
    order = keys or sorted(times, key=lambda key: -times[key])
    return f"- {name}: " + ", ".join(f"{key} {times[key]}" for key in order)


if __name__ == "__main__":
    print(table(load()))  # noqa: T201
