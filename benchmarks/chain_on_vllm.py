"""Four nodes against one pass on a vLLM server: wall time, time to the first word of the reply, cached tokens.

Three ways to the same chain, on posts of about 600 characters, with only the system message in the cache beforehand:

- one pass   one request writes all sections
- four nodes the graph as it is served: each node continues the message, and finds its prompt in the prefix cache
- no sharing the graph, but no request finds another's tokens: what a model, or an adapter, per node costs

    python benchmarks/chain_on_vllm.py --url http://127.0.0.1:8000/v1 --sessions 1,8 --turns 10

Without --url it starts the tiny model of the tests (tests/environments/vllm.sh). Its figures compare the three ways
with one another; they say nothing of a real model's speed.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from langchain_core.messages import HumanMessage, SystemMessage

from empathy_r1.graph import Context, build_graph, wire
from empathy_r1.graph.generate import Ask
from empathy_r1.graph.models.vllm import VLLMChat, vllm_chat
from empathy_r1.graph.prompts import SYSTEM

NODES = ("emotion", "cause", "intention", "response")
POST = (
    "{n}号晚上写给自己看的。项目上线以后我每天十一点才走，回到家孩子已经睡了，门口的小灯是她给我留的。"
    "领导在群里点名说我慢，下面一排人回复收到，我也回复了收到，手指停在屏幕上好久没有动。"
    "地铁末班车上人不多，我靠着门站着，想不起来上一次坐下来好好吃饭是哪一天。"
    "妻子说我回家像个房客，我没有力气解释，只是去厨房把碗洗了，水开得很小，怕吵醒她们。"
    "周日下午一到四点，心口就开始发紧，像有人把周一提前塞了进来，我躲到阳台去，假装在收衣服。"
    "我爸打电话来问过年回不回去，我说看情况，他说好，沉默了几秒，又说你注意身体，然后就挂了。"
    "同组的小陈上个月走了，走的时候请大家喝奶茶，他笑得很轻松，我忽然有点羡慕，又觉得自己没有资格。"
    "房贷还有十九年，孩子明年上小学，我算了又算，算到最后总是剩下一个不能停。"
    "昨天夜里我坐在车里没有上楼，就那么坐着，什么都不想，后来保安来敲窗，问我是不是不舒服。"
    "我说没事，其实我也不知道算不算有事。我不是想要谁给我出主意，我只是想有个地方，"
    "可以把这些话放下来一会儿，不用马上变成一个没事的人。"
)
graph = build_graph().compile()


class Unshared(VLLMChat):
    """Gives every request a cache of its own that holds the system message and nothing else."""

    salts: list[str]

    def _get_request_payload(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        payload = super()._get_request_payload(*arguments, **options)
        payload["extra_body"] = {**payload["extra_body"], "cache_salt": self.salts.pop()}
        return payload


@dataclass
class Turn:
    """What one turn took."""

    seconds: float = 0.0
    first_word: float = 0.0
    output: int = 0
    cached: dict[str, float] = field(default_factory=dict)
    """Node -> share of its prompt tokens that the cache held."""


async def warmed(url: str, name: str) -> str:
    """A salt under which the cache holds the system message, as it does on a server in use."""
    salt = uuid4().hex
    model = vllm_chat(url, name, cache_salt=salt, max_tokens=1)
    await model.ainvoke([SystemMessage(SYSTEM["zh"]), HumanMessage("。")])
    await model.aclose()
    return salt


async def one_pass(url: str, name: str, post: str) -> Turn:
    model = vllm_chat(url, name, temperature=0, cache_salt=await warmed(url, name))
    ask, split, turn = Ask(model, [HumanMessage(post)], {}, "zh", to_end=True), wire.SectionStream("emotion"), Turn()
    started = time.perf_counter()
    async with aclosing(ask.stream()) as stream:
        async for piece in stream:
            if split.feed(piece) and not turn.first_word:
                turn.first_word = time.perf_counter() - started
    turn.seconds = time.perf_counter() - started
    turn.output = ask.timing.get("output_tokens", 0)
    turn.cached["all"] = ask.timing.get("cached_tokens", 0) / ask.timing.get("input_tokens", 1)
    await model.aclose()
    return turn


async def four_nodes(url: str, name: str, post: str) -> Turn:
    return await whole_graph(vllm_chat(url, name, temperature=0, cache_salt=await warmed(url, name)), post)


async def no_sharing(url: str, name: str, post: str) -> Turn:
    salts = [await warmed(url, name) for _ in range(2 * len(NODES))]
    plain = vllm_chat(url, name)
    model = Unshared(
        model=name,
        base_url=plain.openai_api_base,
        api_key=plain.openai_api_key,
        temperature=0,
        stream_usage=True,
        max_retries=0,
        timeout=plain.request_timeout,
        salts=salts,
    )
    await plain.aclose()
    return await whole_graph(model, post)


async def whole_graph(model: VLLMChat, post: str) -> Turn:
    turn, timings = Turn(), {}
    started = time.perf_counter()
    async for kind, part in spoken(model, post):
        if kind == "messages" and part[0].text and not turn.first_word:
            turn.first_word = time.perf_counter() - started
        elif kind == "values":
            timings = part.get("timings", {})
    turn.seconds = time.perf_counter() - started
    turn.output = sum(timing.get("output_tokens", 0) for timing in timings.values())
    turn.cached = {node: timings[node]["cached_tokens"] / timings[node]["input_tokens"] for node in NODES}
    await model.aclose()
    return turn


def spoken(model: VLLMChat, post: str) -> AsyncIterator[Any]:
    return graph.astream(
        {"messages": [("user", post)]}, context=Context(model=model), stream_mode=["messages", "values"]
    )


WAYS = {"one pass": one_pass, "four nodes": four_nodes, "no sharing": no_sharing}


async def measure(url: str, name: str, sessions: int, turns: int) -> dict[str, list[Turn]]:
    """`turns` turns of each way, `sessions` at a time; the ways take turns, so that a slow minute hits all."""
    found: dict[str, list[Turn]] = {way: [] for way in WAYS}
    for at in range(turns):
        for way, run in WAYS.items():
            posts = [POST.format(n=f"{at}之{session}") for session in range(sessions)]
            found[way] += await asyncio.gather(*(run(url, name, post) for post in posts))
    return found


def row(way: str, sessions: int, turns: list[Turn], base: float) -> dict[str, Any]:
    wall = statistics.median(turn.seconds for turn in turns)
    return {
        "way": way,
        "sessions": sessions,
        "turns": len(turns),
        "seconds": round(wall, 3),
        "against one pass": round(wall / base, 2),
        "first word": round(statistics.median(turn.first_word for turn in turns), 3),
        "output tokens": round(statistics.median(turn.output for turn in turns)),
        "cached": {node: f"{statistics.mean(turn.cached[node] for turn in turns):.1%}" for node in turns[0].cached},
    }


@contextmanager
def server(url: str | None) -> Iterator[str]:
    """The server at `url`, or a new one with the tiny model."""
    if url is not None:
        yield url
        return
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from support.vllm_server import VLLMServer, missing

    if reason := missing():
        raise SystemExit(f"no --url, and {reason}")
    with tempfile.TemporaryDirectory() as folder:
        tiny = VLLMServer(Path(folder))
        tiny.start()
        try:
            yield tiny.url
        finally:
            tiny.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="base URL of a vLLM server started with --enable-prompt-tokens-details")
    parser.add_argument("--model", help="name of the model; the server's only one by default")
    parser.add_argument("--sessions", default="1,8", help="turns at a time, for each of these numbers")
    parser.add_argument("--turns", type=int, default=5, help="turns of each session")
    parser.add_argument("--json", action="store_true", help="one JSON object per line instead of a table")
    options = parser.parse_args()
    with server(options.url) as url:
        name = options.model or vllm_chat(url).model_name
        for sessions in map(int, options.sessions.split(",")):
            asyncio.run(measure(url, name, sessions, 1))  # the first turn on a new server is slower
            found = asyncio.run(measure(url, name, sessions, options.turns))
            base = statistics.median(turn.seconds for turn in found["one pass"])
            rows = [row(way, sessions, turns, base) for way, turns in found.items()]
            if options.json:
                print("\n".join(json.dumps(entry, ensure_ascii=False) for entry in rows))
                continue
            print(f"\n{sessions} session(s), {options.turns} turns each, {rows[0]['output tokens']} tokens a turn")
            print(f"{'way':<12}{'wall s':>9}{'/ one pass':>12}{'first word s':>14}  cached share of the prompt")
            for entry in rows:
                cached = "  ".join(f"{node} {share}" for node, share in entry["cached"].items())
                print(
                    f"{entry['way']:<12}{entry['seconds']:>9.3f}{entry['against one pass']:>12.2f}"
                    f"{entry['first word']:>14.3f}  {cached}"
                )


if __name__ == "__main__":
    main()
