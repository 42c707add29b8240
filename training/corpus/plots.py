"""The corpus at a glance: topics, labels, levels, faults and lengths, for each language.

    python -m empathy_r1.training.corpus.plots docs/images/corpus.png

Needs matplotlib (the extra `train`).
"""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from empathy_r1.graph.labels import EMOTIONS, INTENTIONS
from empathy_r1.graph.safety.levels import LEVELS
from empathy_r1.training.corpus.loader import load
from empathy_r1.training.corpus.plan import TOPICS
from empathy_r1.training.corpus.schema import Record
from empathy_r1.training.corpus.validate import POST, length

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {"zh": "#2f6f73", "en": "#d08a4e"}


def draw(records: Sequence[Record], path: Path) -> None:
    """Writes the plots of `records` as a PNG picture.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 13), layout="constrained")
    FigureCanvasAgg(figure)
    grid: dict[str, Axes] = figure.subplot_mosaic(
        [["topics", "emotions"], ["topics", "emotions"], ["intentions", "tiers"], ["levels", "length"]]
    )
    parts = {locale: [record for record in records if record.locale == locale] for locale in POST}
    panels: dict[str, tuple[list[str], Callable[[Record], list[str]]]] = {
        "topics": ([topic.key for topic in TOPICS], lambda r: [r.topic]),
        "emotions": ([label.key for label in EMOTIONS], lambda r: [e.label for e in r.emotions]),
        "intentions": ([label.key for label in INTENTIONS], lambda r: [r.intention.primary, *r.intention.secondary]),
        "tiers": (sorted({x.tier for r in records for x in r.rejected}), lambda r: [x.tier for x in r.rejected]),
        "levels": (list(LEVELS), lambda r: [r.level]),
    }
    for name, (keys, held) in panels.items():
        _bars(grid[name], keys, {locale: Counter(k for r in part for k in held(r)) for locale, part in parts.items()})
        grid[name].set_title("faults of rejected replies" if name == "tiers" else name)
    grid["levels"].legend(frameon=False)
    lengths = grid["length"]
    for locale, part in parts.items():
        unit = "characters" if locale == "zh" else "words"
        for kind, style in (("post", "-"), ("reply", ":")):
            sizes = sorted(length(getattr(record, kind), record.locale) for record in part)
            shares = [(at + 1) / len(sizes) for at in range(len(sizes))]
            lengths.plot(sizes, shares, style, color=_COLOURS[locale], label=f"{kind}, {locale} ({unit})")
    lengths.set_title("share of texts up to a length")
    lengths.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


def _bars(axes: "Axes", keys: list[str], counts: dict[str, Counter[str]]) -> None:
    left = [0] * len(keys)
    for locale, times in counts.items():
        widths = [times[key] for key in keys]
        axes.barh(keys, widths, left=left, color=_COLOURS[locale], label=locale)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    axes.invert_yaxis()


if __name__ == "__main__":
    draw(load(), Path(sys.argv[1]))
