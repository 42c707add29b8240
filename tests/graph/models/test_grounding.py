"""Quotes that the runtime holds to the conversation: whatever the model would like to write."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage

from empathy_r1.graph.models import _grounding
from empathy_r1.graph.models._grounding import Quotes, Rule, Vocabulary
from empathy_r1.graph.models._text import ChatText
from empathy_r1.graph.models.embedded import SHIPPED, EmbeddedChat

TINY = Path(__file__).parent / "tiny"
POST = "我失眠了三个月，白天还要上班。My sister Ann never calls, and I miss her."
RULES = (Rule(re.compile("说“\\Z".encode()), ("”".encode(),)),)


@pytest.fixture(scope="module")
def text():
    return ChatText(SHIPPED)


@pytest.fixture(scope="module")
def vocabulary(text):
    return Vocabulary(*text.vocabulary())


def spell(vocabulary, tokens):
    return b"".join(vocabulary.bytes[t] for t in tokens).decode("utf-8", "ignore")


def write(quotes, vocabulary, size, dice, steps=80):
    """Tokens that a model of random taste writes inside the first quote, up to its end."""
    found = []
    for _ in range(steps):
        token = int(quotes.mask(dice.normal(size=size).astype(np.float32)).argmax())
        quotes.take(token)
        found.append(token)
        if "”" in spell(vocabulary, found):
            break
    return spell(vocabulary, found).partition("”")[0]


@given(seed=st.integers(0, 2**32))
def test_a_quote_is_whole_clauses_of_a_post_whatever_the_model_likes(vocabulary, text, seed):
    size = max(text.vocabulary()[0].values()) + 1
    quotes = Quotes(RULES, vocabulary, [POST], "你说“")
    said = write(quotes, vocabulary, size, np.random.default_rng(seed))
    clauses = {"我失眠了三个月", "白天还要上班", "My sister Ann never calls", "and I miss her"}
    assert said in POST or said[:1].swapcase() + said[1:] in POST
    assert any(said.lower().startswith(clause.lower()) for clause in clauses)
    assert any(said.lower().endswith(clause.lower()) for clause in clauses)
    assert len(said.encode()) < _grounding.LONGEST + 40


def test_clauses_are_quoted_once_while_there_are_others(vocabulary, text):
    size = max(text.vocabulary()[0].values()) + 1
    quotes = Quotes(RULES, vocabulary, [POST], "")
    begun = set()
    for seed in range(4):
        for token in text.tokens("你说“"):
            quotes.take(token)
        begun.add(write(quotes, vocabulary, size, np.random.default_rng(seed))[:5].lower())
    assert len(begun) == 4


def test_outside_of_a_quote_and_without_a_post_nothing_changes(vocabulary):
    logits = np.arange(6000, dtype=np.float32)
    assert Quotes(RULES, vocabulary, [POST], "你说").mask(logits) is logits
    assert Quotes(RULES, vocabulary, [""], "你说“").mask(logits) is logits
    assert Quotes((), vocabulary, [POST], "你说“").mask(logits) is logits


def test_a_post_of_short_clauses_can_still_be_quoted(vocabulary, text):
    size = max(text.vocabulary()[0].values()) + 1
    said = write(Quotes(RULES, vocabulary, ["累。烦。"], "你说“"), vocabulary, size, np.random.default_rng(0))
    assert said in {"累", "烦", "累。烦"}


def test_a_folder_without_rules_has_none():
    assert _grounding.read(TINY) == ()


@pytest.fixture
def grounded(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(TINY, folder)
    rules = [{"after": "<emotion>\n[^｜<]{1,20}｜", "until": ["</"]}]
    (folder / "grounding.json").write_text(json.dumps(rules), encoding="utf-8")
    return EmbeddedChat(folder)


@pytest.mark.parametrize("temperature", [0.0, 1.5])
async def test_the_runtime_keeps_to_the_post(grounded, temperature):
    post = "昨天又吵架了，今天谁也不理谁。"
    reply = await grounded.ainvoke(
        [HumanMessage(post), AIMessage("<emotion>\n焦虑/强｜")], stop=["</emotion>"], temperature=temperature, seed=3
    )
    assert reply.text.partition("</")[0] in {"昨天又吵架了", "今天谁也不理谁", post.removesuffix("。")}
