"""Compares runtimes for the embedded model: four nodes of one turn, then a second turn, on random weights.

A turn is a prompt of 500 tokens; each node adds 12 and decodes 40, the last one 120. The second turn goes back to
the end of the post, then adds 60 (the reply) and 200 (the next post). Times are cpu seconds of one process on one
intra-op thread (`--wall` for wall seconds), since those do not depend on what else a machine does; the best of
`--repeat` turns counts.

    pip install onnxruntime onnxruntime-genai ctranslate2 numpy
    python -m empathy_r1.training.export_embedded HF_FOLDER FOLDER --precision int8
    ct2-transformers-converter --model HF_FOLDER --output_dir FOLDER_CT2 --quantization int8
    python benchmarks/embedded_runtimes.py onnxruntime FOLDER
    python benchmarks/embedded_runtimes.py genai FOLDER
    python benchmarks/embedded_runtimes.py ctranslate2 FOLDER_CT2
"""

import argparse
import json
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

NODES = (40, 40, 40, 120)
Write = Callable[[list[int], int], Iterator[int]]
"""Yields so many tokens after a whole prompt, keeping between calls whatever the runtime can keep."""


def onnxruntime(folder: Path, threads: int) -> Write:
    from empathy_r1.graph.models._decoder import FEED, Decoder
    from empathy_r1.graph.models._pool import Pool

    pool = Pool(Decoder(folder, threads, 1), 1 << 30)

    def write(prompt: list[int], count: int) -> Iterator[int]:
        with pool.lease(prompt) as cache:
            new = prompt[len(cache.tokens) :]
            for at in range(0, len(new), FEED):
                logits = cache.feed(new[at : at + FEED])
            for _ in range(count):
                token = int(logits.argmax())
                yield token
                logits = cache.feed([token])

    return write


def genai(folder: Path, threads: int) -> Write:
    import onnxruntime_genai as og

    config = og.Config(str(folder))
    config.overlay(json.dumps({"model": {"decoder": {"session_options": {"intra_op_num_threads": threads}}}}))
    model = og.Model(config)
    options = og.GeneratorParams(model)
    options.set_search_options(max_length=2048, min_length=2048, do_sample=False)
    generator = og.Generator(model, options)
    held: list[int] = []

    def write(prompt: list[int], count: int) -> Iterator[int]:
        same = next((i for i, (a, b) in enumerate(zip(held, prompt[:-1], strict=False)) if a != b), None)
        same = min(len(held), len(prompt) - 1) if same is None else same
        generator.rewind_to(same)
        generator.append_tokens(np.array(prompt[same:], np.int32))
        held[:] = prompt
        for _ in range(count):
            generator.generate_next_token()
            held.append(int(generator.get_next_tokens()[0]))
            yield held[-1]

    return write


def ctranslate2(folder: Path, threads: int) -> Write:
    import ctranslate2 as ct2

    vocabulary = json.loads((folder / "vocabulary.json").read_text("utf-8"))
    generator = ct2.Generator(str(folder), intra_threads=threads, inter_threads=1)

    def write(prompt: list[int], count: int) -> Iterator[int]:
        words = [vocabulary[token] for token in prompt]
        steps = generator.generate_tokens(words, max_length=count, min_length=count, sampling_topk=1)
        yield from (step.token_id for step in steps)

    return write


def measure(write: Write, clock: Callable[[], float], seed: int) -> dict[str, list[float]]:
    dice = np.random.default_rng(seed)
    first: list[float] = []
    rate: list[float] = []

    def node(prompt: list[int], count: int) -> list[int]:
        started, said = clock(), []
        for token in write(prompt, count):
            if not said:
                first.append(round((clock() - started) * 1e3, 1))
                began = clock()
            said.append(token)
        rate.append(round((count - 1) / max(1e-9, clock() - began)))
        return said

    post = dice.integers(3, 250, 500).tolist()
    for turn in range(2):
        prompt = list(post)
        for count in NODES:
            prompt += node(prompt, count) + dice.integers(3, 250, 12).tolist()
        if turn == 0:
            post += dice.integers(3, 250, 260).tolist()
    return {"first token, ms": first, "tokens/s": rate}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runtime", choices=("onnxruntime", "genai", "ctranslate2"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--wall", action="store_true")
    args = parser.parse_args()
    write = {"onnxruntime": onnxruntime, "genai": genai, "ctranslate2": ctranslate2}[args.runtime](
        args.folder, args.threads
    )
    runs = [measure(write, time.perf_counter if args.wall else time.process_time, seed) for seed in range(args.repeat)]
    best = {
        name: [(min if "ms" in name else max)(values) for values in zip(*(r[name] for r in runs), strict=True)]
        for name in runs[0]
    }
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"runtime": args.runtime, "folder": args.folder.name, **best, "peak MB": memory}))


if __name__ == "__main__":
    main()
