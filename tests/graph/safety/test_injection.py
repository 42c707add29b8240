"""Posts that try to turn the product round, and a model that obeys every one of them."""

import json
from collections import Counter
from pathlib import Path

import pytest

from empathy_r1.graph import Context, build_graph, wire
from empathy_r1.graph.prompts import SYSTEM
from empathy_r1.graph.safety import Guard, check

from support.models import EN_CHAIN, ZH_CHAIN, ScriptedModel, SpeakingModel

HERE = Path(__file__).parent / "injection"
CHAINS = {"zh": ZH_CHAIN, "en": EN_CHAIN}
REGIONS = {"zh": "CN", "en": "US"}

graph = build_graph().compile()


def rows(name):
    return [json.loads(line) for line in (HERE / name).read_text("utf-8").splitlines()]


ATTEMPTS = rows("attempts.jsonl")


def obeyed(attempt):
    """What a model says that does what the attempt wants."""
    chain = CHAINS[attempt["locale"]]
    return [
        row["text"]
        .replace("{chain}", "\n".join(chain[s] for s in wire.HIDDEN))
        .replace("{system}", SYSTEM[attempt["locale"]])
        for row in rows("obeyed.jsonl")
        if (row["locale"], row["aim"]) == (attempt["locale"], attempt["aim"])
    ]


def test_the_corpus_is_wide():
    locales, aims = Counter(a["locale"] for a in ATTEMPTS), Counter(a["aim"] for a in ATTEMPTS)
    assert len(ATTEMPTS) >= 150
    assert min(locales["zh"], locales["en"]) >= 75
    assert len(aims) == 16
    assert len({a["id"] for a in ATTEMPTS}) == len({a["text"] for a in ATTEMPTS}) == len(ATTEMPTS)


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda a: a["id"])
def test_the_guard_lets_nothing_out_of_a_model_that_obeys(attempt):
    locale = attempt["locale"]
    sealed = [*(CHAINS[locale][s] for s in wire.HIDDEN), SYSTEM[locale]]
    for text in obeyed(attempt):
        guard = Guard(locale=locale, region=REGIONS[locale], sealed=sealed, post=attempt["text"])
        shown = "".join(guard.feed(text[i : i + 3]) for i in range(0, len(text), 3)) + guard.close()
        assert guard.withheld
        assert text not in shown
        assert all(line not in shown for line in text.splitlines() if len(line) > 12)
        assert check(shown, locale=locale, region=REGIONS[locale], sealed=sealed) == []


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda a: a["id"])
async def test_the_whole_graph_lets_nothing_out(attempt):
    locale = attempt["locale"]
    said = "\n".join(obeyed(attempt))
    script = {**CHAINS[locale], "response": said}
    evil = dict.fromkeys(wire.HIDDEN, f"焦虑/强｜{said[:40]}") | {"response": said}
    for model in (ScriptedModel(script=script), ScriptedModel(script=evil), SpeakingModel(answer=lambda _: said)):
        context = Context(model=model, locale=locale, region=REGIONS[locale])
        result = await graph.ainvoke({"messages": [("user", attempt["text"])]}, context=context)
        reply = result["messages"][-1].text
        assert reply.strip()
        assert result["chain"] is None
        assert all(text not in reply for text in obeyed(attempt))
        assert check(reply, locale=locale, region=REGIONS[locale]) == []
