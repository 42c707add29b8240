"""How long the crisis screen takes: 2,000 characters of ordinary, of grave and of hostile text, without its memory; and
the last post of a conversation of 20, whose earlier posts it remembers.

Time on the clock, and the processor time of the thread, which other work on the machine does not lengthen as much.

python benchmarks/screen_latency.py
"""

import statistics
import time

from empathy_r1.graph.safety import screen
from empathy_r1.training.data import grammar

LENGTH, ROUNDS, TURNS = 2000, 300, 20


def texts() -> dict[str, list[str]]:
    """Texts of `LENGTH` characters by kind, each different from the others, so that no reading is remembered."""
    zh = "".join(s["post"] for s in grammar.samples("zh", 2 * ROUNDS, 3))
    en = " ".join(s["post"] for s in grammar.samples("en", 2 * ROUNDS, 3))
    step = 97
    return {
        "zh": [zh[at * step :][:LENGTH] for at in range(ROUNDS)],
        "en": [en[at * step :][:LENGTH] for at in range(ROUNDS)],
        "zh grave": [("我不想活了，觉得自己是累赘。" + zh[at * step :][:60]) * 30 for at in range(ROUNDS)],
        "en grave": [("I want to die and I can not go on. " + en[at * step :][:60]) * 22 for at in range(ROUNDS)],
        "one sentence": [("我想" + zh[at : at + 3]) * 400 for at in range(ROUNDS)],
        "one word": [("want to " + str(at)) * 200 for at in range(ROUNDS)],
    }


def measured(posts: list[str], history: list[str]) -> str:
    """Median, 99th percentile and slowest on the clock, and the median and 99th percentile of the processor's time."""
    clock, processor = [], []
    for at, post in enumerate(posts):
        before = [*history, *posts[:at]][1 - TURNS :] if history else []
        start, spent = time.perf_counter(), time.thread_time()
        screen(post, before)
        processor.append(1000 * (time.thread_time() - spent))
        clock.append(1000 * (time.perf_counter() - start))
    p99, p99_processor = (statistics.quantiles(times, n=100)[98] for times in (clock, processor))
    return (
        f"p50 {statistics.median(clock):6.2f} ms   p99 {p99:6.2f} ms   max {max(clock):6.2f} ms"
        f"   processor p50 {statistics.median(processor):5.2f} ms   p99 {p99_processor:5.2f} ms"
    )


def main() -> None:
    """Prints a line for each kind of text."""
    for kind, posts in texts().items():
        cut = [post[:LENGTH] for post in posts]
        for post in cut:  # A pattern is compiled when a text first needs it: once in the life of a process.
            screen(post[1:-1])
        print(f"{kind:<14} {measured(cut, [])}")
        if kind in ("zh", "en"):
            print(f"{kind + f', turn {TURNS}':<14} {measured([post[:-2] for post in cut], cut[: TURNS - 1])}")


if __name__ == "__main__":
    main()
