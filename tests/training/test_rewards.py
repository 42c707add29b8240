"""Each part of the reward on chains that earn and lose it, and properties that hold for any text."""

import doctest
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empathy_r1.graph import wire
from empathy_r1.training import rewards
from empathy_r1.training.corpus import chain, load
from empathy_r1.training.data.grammar import samples
from empathy_r1.training.data.sample import Sample
from empathy_r1.training.rewards import CHECKS, FACTORS, GATES, build_default, build_paper, combine

HELD = [*samples("zh", 30, 5), *samples("en", 30, 5)]
EVERY = GATES | CHECKS | FACTORS
ZH = next(s for s in HELD if s["locale"] == "zh")
EN = next(s for s in HELD if s["locale"] == "en")


def columns(*held: Sample) -> dict[str, list[object]]:
    return {
        "post": [s["post"] for s in held],
        "locale": [s["locale"] for s in held],
        "chain": [s["chain"] for s in held],
        "history": [s["history"] for s in held],
        "target": [len(s["chain"]["response"]) for s in held],
    }


def changed(sample: Sample, **sections: str) -> str:
    return wire.render({**sample["chain"], **sections})  # type: ignore[dict-item]


def one(name: str, text: str, sample: Sample = ZH) -> float | None:
    return EVERY[name]([text], **columns(sample))[0]


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(rewards).failed == 0


def test_gold_chains_pass_every_gate_and_match_their_own_labels() -> None:
    texts = [wire.render(s["chain"]) for s in HELD]
    for name in ("format", "language", "safety", "emotion", "intention", "length"):
        assert EVERY[name](texts, **columns(*HELD)) == [1.0] * len(HELD), name


def test_gold_chains_of_the_corpus_earn_most_of_the_default_reward() -> None:
    held = [
        Sample(
            id=r.id, locale=r.locale, source="corpus", topic=r.topic, history=[], post=r.post, chain=chain(r)
        )
        for r in load(split="train") if r.level in ("none", "concern")
    ]  # fmt: skip
    texts = [wire.render(s["chain"]) for s in held]
    earned = [r or 0 for r in build_default({"emotion": 1, "cause": 1, "intention": 1}, None)(texts, **columns(*held))]
    assert sum(earned) / len(earned) > 0.85


@pytest.mark.parametrize(
    "text",
    [
        "",
        "你好",
        changed(ZH).replace("<cause>\n", "<cause>"),
        changed(ZH).replace("</response>", ""),
        changed(ZH, emotion="开心死了/强｜不在表里"),
        changed(ZH, strategy=""),
        changed(ZH) + "还有一句",
        changed(ZH)[: len(changed(ZH)) // 2],
    ],
)
def test_a_broken_message_has_no_format(text: str) -> None:
    assert one("format", text) == 0.0


def test_the_wrong_language_and_the_unsafe_reply_are_shut_out() -> None:
    english = "It sounds as if this has been with you for a very long time, and you are tired of it."
    assert one("language", changed(ZH, response=english)) == 0.0
    assert one("safety", changed(ZH, response="你这就是抑郁症，吃两片安定就好了。")) == 0.0
    assert one("safety", changed(ZH, response=f"{ZH['chain']['strategy']}。{ZH['chain']['intention']}")) == 0.0
    assert one("safety", changed(ZH, response="你可以打 400-123-4567 找王老师聊聊。")) == 0.0


def test_a_cause_of_another_post_is_less_grounded() -> None:
    for locale in ("zh", "en"):
        held = [s for s in HELD if s["locale"] == locale]
        own = rewards.cause_reward([changed(s) for s in held], **columns(*held))
        other = rewards.cause_reward([changed(held[i - 1]) for i in range(len(held))], **columns(*held))
        assert sum(map(float, own)) / len(own) > sum(map(float, other)) / len(other) + 0.4  # type: ignore[arg-type]


def test_strategy_wants_advice_where_it_was_asked_for_and_little_elsewhere() -> None:
    advice = "建议你先列一个清单。然后可以试着早睡。最好换个环境。"
    heard = "读到这里，能感觉到这件事压了你很久。那种没人可说的闷，很难受。"
    asks = {"intention": "建议｜想知道下一步", "strategy": "先理解，再给一小步"}
    vents = {"intention": "倾诉｜想说出来", "strategy": "先听"}
    assert one("strategy", changed(ZH, response=heard + "下一步，可以先写下来。", **asks)) == 1.0
    assert one("strategy", changed(ZH, response=heard, **asks)) == 0.0
    assert one("strategy", changed(ZH, response=heard, **vents)) == 1.0
    assert one("strategy", changed(ZH, response=advice, **vents)) == 0.0


def test_echo_length_and_repetition_cost() -> None:
    assert one("echo", changed(ZH, response=ZH["post"])) == 0.0
    assert one("echo", changed(ZH)) == 1.0
    assert one("length", changed(ZH, response="嗯。")) == 0.0
    assert one("length", changed(ZH, response=ZH["chain"]["response"] * 4)) == 0.0
    assert one("repetition", changed(ZH, response="你很难受，我听见了。" * 20)) == 0.0


def test_the_same_reply_to_everything_has_no_variety() -> None:
    texts = [changed(ZH), changed(ZH), changed(ZH, response="完全不同的一段话，说的是另外一件事情。")]
    same, again, other = rewards.variety_reward(texts, post=[ZH["post"]] * 3)
    assert same == again
    assert same is not None
    assert other is not None
    assert same < 0.6 < other
    assert rewards.variety_reward(texts[:1], post=[ZH["post"]]) == [None]


def test_no_gold_means_not_applicable() -> None:
    for gold in (None, {}):
        assert rewards.emotion_reward([changed(ZH)], chain=[gold]) == [None]
        assert rewards.intention_reward([changed(ZH)], chain=[gold]) == [None]
    assert rewards.length_reward([changed(ZH)], target=[None]) == [None]


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.text(max_size=300) | st.sampled_from([wire.render(s["chain"]) for s in HELD]), min_size=1, max_size=4)
)
def test_any_text_earns_between_nothing_and_one(texts: list[str]) -> None:
    given_columns = columns(*[ZH] * len(texts))
    for name, part in EVERY.items():
        found = part(texts, **given_columns)
        assert len(found) == len(texts)
        assert all(value is None or 0 <= value <= 1 for value in found), name
        assert found == part([[{"role": "assistant", "content": t}] for t in texts], **given_columns)
    assert all(
        value is not None and 0 <= value <= 1 for value in build_default({"cause": 1.0}, None)(texts, **given_columns)
    )


def test_a_failing_reward_model_gives_none_never_zero() -> None:
    weights = {"model": 1.0, "emotion": 0.25}
    broken = build_default(weights, lambda rows: [None] * len(rows))
    assert broken([changed(ZH), "no chain"], **columns(ZH, ZH)) == [None, 0.0]
    logged: dict[str, float] = {}
    fine = build_default(weights, lambda rows: [2.0] * len(rows), lambda rows: [-1.0] * len(rows))
    (reward,) = fine([changed(EN)], **columns(EN), log_metric=logged.__setitem__)
    assert reward is not None
    assert reward > 0.85
    assert logged["reward_model"] == 2.0
    assert logged["held_out_reward_model"] == -1.0
    assert logged["part/format"] == 1.0
    assert "reply/advice" in logged


def test_a_closed_gate_shuts_everything_out() -> None:
    parts = {"format": [0.0, 1.0, 1.0], "safety": [1.0, 0.0, 1.0], "model": [1.0, 1.0, 0.8], "length": [1.0, 1.0, 0.5]}
    assert combine(parts, {"model": 1.0}) == [0.0, 0.0, 0.4]


def test_the_papers_reward_is_format_plus_a_cosine_against_a_threshold() -> None:
    near = dict(zip([s["chain"]["response"] for s in HELD[:3]], [0.9, 0.2, None], strict=True))
    paper = build_paper(lambda posts, replies: [near[r] for r in replies], 0.5)
    texts = [changed(s) for s in HELD[:3]]
    assert paper([*texts, "nothing"], post=[s["post"] for s in HELD[:3]] + ["x"]) == [2.0, 1.0, None, 0.0]


def test_dice_decide_nothing() -> None:
    texts = [changed(s) for s in random.Random(1).sample(HELD, 8)]
    given_columns = columns(*HELD[:8])
    reward = build_default({"cause": 1.0, "variety": 1.0}, None)
    assert reward(texts, **given_columns) == reward(texts, **given_columns)
