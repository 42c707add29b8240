"""One page about a run, or about several side by side: figures, plots, and the card of the model.

Plots show the loss, the reward by component, the length of replies, and the rewarded judge beside the held-out one.

    python -m empathy_r1.training.report build/demo/grpo build/demo/grpo-paper --out build/demo/report
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from empathy_r1.training.errors import RunError

_PANELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Loss", ("loss", "eval_loss")),
    ("Reward", ("reward", "part/", "accuracy", "margin")),
    ("Length of replies", ("completions/mean_length", "reply/characters")),
    ("Judges: rewarded and held out", ("reward_model", "held_out_reward_model")),
)
_TOLD = (
    "reward",
    "reward_model",
    "held_out_reward_model",
    "reply/advice",
    "reply/echo",
    "reply/characters",
    "unscored",
)
_ENDS = 10
"""Log entries that the first and the last figure of a run are the mean of, at most a third of them."""


def write(runs: Sequence[Path], out: Path) -> Path:
    """Writes `REPORT.md`, and `report.png` where matplotlib is installed, into `out`; returns the page's path.

    Raises:
        RunError: a folder holds no finished run.
    """
    told = [_read(run) for run in runs]
    names = [run.name for run in runs]
    out.mkdir(parents=True, exist_ok=True)
    drawn = _draw(dict(zip(names, (t["log"] for t in told), strict=True)), out / "report.png")
    lines = [f"# {', '.join(names)}", ""]
    lines += ["![loss, reward, length, judges](report.png)", ""] if drawn else []
    for name, run in zip(names, told, strict=True):
        lines += [f"## {name}: {run['stage']}", "", *_figures(run["metrics"]), ""]
    if changes := _changes(names, [t["log"] for t in told]):
        lines += ["## From the beginning to the end", "", *changes, ""]
    page = out / "REPORT.md"
    page.write_text("\n".join(lines), encoding="utf-8")
    return page


def card(told: Mapping[str, Any]) -> str:
    """The model card of one run, in Markdown; `told` is the run's metrics.json."""
    config = told["config"]
    base = config["start_from"] or "random weights"
    how = {
        "sft": "supervised fine-tuning on finished Chain-of-Empathy messages",
        "grpo": f"GRPO with the {config.get('reward')} reward, on a model tuned before",
        "reward": "pairwise training as a reward model: it scores replies and writes none",
        "embedding": "triplet training as an embedding of posts and replies: it writes nothing",
    }[told["stage"]]
    adapted = f"LoRA of rank {config['lora']['rank']}" if config["lora"] else "all weights"
    return "\n".join(
        [
            "---",
            "language: [zh, en]",
            f"base_model: {base}" if config["start_from"] else "library_name: transformers",
            "---",
            "",
            "# 模型卡 · Model card",
            "",
            f"- **How it was made**: {how}; {adapted}, from {base}, seed {config['seed']}.",
            f"- **Data**: `{config['data']}`. Whoever made that file answers for its licence and its people's consent.",
            "- **用途**：给写来长文的人一段共情的回应。它不是治疗，不作诊断，也不处理危机；"
            "须放在危机筛查与回复守卫之后使用。",
            "- **Use**: an empathic reply to a long post. It is no therapy, makes no diagnosis and handles no crisis; "
            "it belongs behind the crisis screen and the reply guard of empathy-r1.",
            "- **Limits**: it may misread a post, repeat itself, or sound surer than it is. The figures below are of "
            "this run's own held-out data and say nothing about people who differ from it.",
            "",
            "## Figures",
            "",
            *_figures(told["metrics"]),
            "",
        ]
    )


def _figures(metrics: Mapping[str, Any]) -> list[str]:
    rows = [f"| {name} | {_number(value)} |" for name, value in metrics.items() if not isinstance(value, dict)]
    lines = ["| figure | value |", "|---|---|", *rows]
    if tiers := metrics.get("tiers"):
        lines += [
            "",
            "| tier | n | accuracy | 95 % interval | good reply longer | unscored |",
            "|---|---|---|---|---|---|",
        ]
        for name, row in tiers.items():
            interval = f"{row['low']:.3f} to {row['high']:.3f}"
            cells = (name, row["n"], f"{row['accuracy']:.3f}", interval, f"{row['longer']:.3f}", row["unscored"])
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def _changes(names: Sequence[str], logs: Sequence[Sequence[Mapping[str, Any]]]) -> list[str]:
    rows = []
    for key in _TOLD:
        cells = []
        for log in logs:
            values = [float(v) for e in log if isinstance(v := e.get(key), int | float)]
            ends = max(1, min(_ENDS, len(values) // 3))
            means = (sum(values[:ends]) / ends, sum(values[-ends:]) / ends) if values else None
            cells.append(f"{means[0]:.4g} → {means[1]:.4g}" if means else "")
        if any(cells):
            rows.append(f"| {key} | {' | '.join(cells)} |")
    return [f"| | {' | '.join(names)} |", f"|---{'|---' * len(names)}|", *rows] if rows else []


def _draw(logs: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> bool:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return False
    known = {key for log in logs.values() for entry in log for key, v in entry.items() if isinstance(v, int | float)}
    panels = [(title, found) for title, keys in _PANELS if (found := sorted(k for k in known if _belongs(k, keys)))]
    if not panels:
        return False
    figure = Figure(figsize=(11, 3.6 * ((len(panels) + 1) // 2)), layout="constrained")
    FigureCanvasAgg(figure)
    for at, (title, keys) in enumerate(panels, start=1):
        panel = figure.add_subplot((len(panels) + 1) // 2, 2, at)
        panel.set_title(title)
        panel.set_xlabel("step")
        for name, log in logs.items():
            for key in keys:
                points = [(e["step"], e[key]) for e in log if isinstance(e.get(key), int | float)]
                if points:
                    # A single figure, such as that of the last evaluation, is a mark.
                    label = key if len(logs) == 1 else f"{name}: {key}"
                    style = "-" if len(panel.lines) < 10 else "--"  # colours come again after ten
                    marker = "o" if len(points) == 1 else None
                    panel.plot(*zip(*points, strict=True), style, label=label, marker=marker)
        panel.legend(fontsize=7)
    figure.savefig(path, dpi=110)
    return True


def _belongs(key: str, keys: Sequence[str]) -> bool:
    return key in keys or any(k.endswith("/") and key.startswith(k) for k in keys)


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _read(run: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(run) from error
    return told


def main(argv: list[str] | None = None) -> None:
    """Command line: writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="output folders of finished runs")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    print(write(args.runs, args.out))  # noqa: T201


if __name__ == "__main__":
    main()
