"""How long the crisis screen takes: 2,000 characters of ordinary, of grave and of hostile text, without its memory.

python benchmarks/screen_latency.py
"""

import statistics
import time

from empathy_r1.graph.safety import screen
from empathy_r1.training.data import grammar

LENGTH, ROUNDS = 2000, 300


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


def main() -> None:
    """Prints the median, the 99th percentile and the slowest, in milliseconds."""
    for kind, posts in texts().items():
        spent = []
        for post in posts:  # A pattern is compiled when a text first needs it: once in the life of a process.
            screen(post[1 : LENGTH - 1])
        for post in posts:
            start = time.perf_counter()
            screen(post[:LENGTH])
            spent.append(1000 * (time.perf_counter() - start))
        p99 = statistics.quantiles(spent, n=100)[98]
        print(f"{kind:<14} p50 {statistics.median(spent):6.2f} ms   p99 {p99:6.2f} ms   max {max(spent):6.2f} ms")


if __name__ == "__main__":
    main()
