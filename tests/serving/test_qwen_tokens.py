"""The wire format on Qwen's real vocabulary: no node's prompt changes a token of the one before it."""

import base64
from importlib.util import find_spec
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage

from empathy_r1.graph import wire
from empathy_r1.graph.prompts import continue_prompt

from support.models import EN_CHAIN, ZH_CHAIN
from support.posts import EN_POST, ZH_POST

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
ROLES = {"system": "system", "human": "user", "ai": "assistant"}
OPENINGS = ("I", "The", "You", "This", "A", "If", "In", "Your", "<3", ">_<", "“", '"', "（", "…", "1", "他", "🙂", "é")
"""Beginnings of a section; Qwen has tokens such as `>I` and `>The`."""


@pytest.fixture(scope="module")
def qwen():
    package = find_spec("dashscope")
    assert package is not None
    assert package.origin is not None
    # The vocabulary of Qwen 1 to 3: one line per token, in base64, with its rank.
    lines = (Path(package.origin).parent / "resources" / "qwen.tiktoken").read_bytes().splitlines()
    ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in lines if line)}
    special = {name: len(ranks) + at for at, name in enumerate(("<|endoftext|>", "<|im_start|>", "<|im_end|>"))}
    return tiktoken.Encoding("qwen", pat_str=SPLIT, mergeable_ranks=ranks, special_tokens=special)


def prompt(qwen, messages, ended):
    text = "".join(f"<|im_start|>{ROLES[m.type]}\n{m.text}<|im_end|>\n" for m in messages)
    return qwen.encode(text if ended else text.removesuffix("<|im_end|>\n"), allowed_special="all")


def check(qwen, chain, locale, post):
    conversation = [HumanMessage(post)]
    *before, opened = continue_prompt(conversation, {}, "emotion", locale)
    whole = prompt(qwen, [*before, opened.model_copy(update={"content": wire.render(chain)})], ended=True)
    for section in wire.SECTIONS:
        ids = prompt(qwen, continue_prompt(conversation, chain, section, locale), ended=False)
        assert whole[: len(ids)] == ids, section


@pytest.mark.parametrize(
    ("chain", "locale", "post"), [(ZH_CHAIN, "zh", ZH_POST), (EN_CHAIN, "en", EN_POST)], ids=["zh", "en"]
)
def test_each_prompt_begins_the_finished_chain(qwen, chain, locale, post):
    check(qwen, chain, locale, post)


@settings(max_examples=300, deadline=None)
@given(
    texts=st.tuples(*[st.tuples(st.sampled_from(OPENINGS), st.text(max_size=12)) for _ in wire.SECTIONS]),
    locale=st.sampled_from(["zh", "en"]),
)
def test_whatever_a_section_says(qwen, texts, locale):
    chain = {}
    for section, (opening, rest) in zip(wire.SECTIONS, texts, strict=True):
        text = wire.repair(section, opening + rest, locale)
        chain[section] = text or {"emotion": "I", "intention": "The"}.get(section, "字")
    check(qwen, chain, locale, "I am tired.")


def test_the_vocabulary_would_merge_over_a_tag_without_its_line_end(qwen):
    continued = qwen.encode("<cause>")
    assert qwen.encode("<cause>I failed")[: len(continued)] != continued
    continued = qwen.encode(wire.open_tag("cause"))
    assert qwen.encode(wire.open_tag("cause") + "I failed")[: len(continued)] == continued
