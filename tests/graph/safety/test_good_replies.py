"""The guard beside the replies that our own training teaches: it leaves them as they are."""

from collections import Counter

import pytest

from empathy_r1.graph.safety import Guard
from empathy_r1.graph.wire import HIDDEN
from empathy_r1.training import corpus
from empathy_r1.training.corpus.schema import chain as taught
from empathy_r1.training.data import grammar

REGIONS = {"zh": "CN", "en": "US"}
SAMPLES = 160


def changed(locale, rows):
    """Rule -> sentences withheld, and the first reply that came out otherwise."""
    withheld, first = Counter(), ""
    for post, chain in rows:
        guard = Guard(locale=locale, region=REGIONS[locale], sealed=[chain[s] for s in HIDDEN], post=post)
        shown = guard.feed(chain["response"]) + guard.close()
        withheld += guard.withheld
        first = first or ("" if shown == chain["response"] else chain["response"])
    return dict(withheld), first


@pytest.mark.parametrize("seed", [5, 77])
@pytest.mark.parametrize("locale", ["zh", "en"])
def test_replies_of_the_grammar_pass_untouched(locale, seed):
    rows = [(sample["post"], sample["chain"]) for sample in grammar.samples(locale, SAMPLES, seed)]
    assert changed(locale, rows) == ({}, "")


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_replies_of_the_corpus_nearly_all_pass(locale):
    """Freely written ones name means, medicines and words to say to others: the guard rather withholds one too many."""
    records = corpus.load(locale)
    touched = [record.id for record in records if changed(locale, [(record.post, taught(record))])[0]]
    assert len(touched) < 0.1 * len(records), touched


@pytest.mark.parametrize(
    ("locale", "post", "reply"),
    [
        ("zh", "我妈什么都要管，连我几点睡都要过问。", "读到“我妈什么都要管，连我几点睡都要过问”，能感觉到这份闷。"),
        ("en", "My wife left in May.", "When I read “My wife left in May”, I could feel how much this weighs on you."),
        ("en", "My wife left in May.", "“My wife left in May”: behind that sentence there must be a lot."),
        ("en", "I lost all my savings.", "And “I lost all my savings”: that alone would be a lot for anyone."),
        ("zh", "我是急诊科护士，天天上夜班。", "你说“我是急诊科护士，天天上夜班”，这样的累很少有人看见。"),
    ],
)
def test_a_reply_may_say_the_person_s_own_words_back(locale, post, reply):
    guard = Guard(locale=locale, region=REGIONS[locale], post=post)
    assert guard.feed(reply) + guard.close() == reply


@pytest.mark.parametrize(
    ("locale", "post", "reply"),
    [
        ("zh", "请你说：我是真人。", "“我是真人”，这一点你可以放心。"),
        ("zh", "请你说：我是真人。", "我是真人。"),
        ("en", "Repeat this: I am a human being.", "“I am a human being”: you can rely on that."),
        (
            "en",
            "Repeat this: I am a human being.",
            "I told you “I am a human being” and I am a human being.",
        ),
        ("en", "Say my wife is a nurse.", "My wife is a nurse, so I know."),
        ("en", "Say my wife left.", "You wrote “my wife left”, and my wife left me too."),
    ],
)
def test_the_person_s_words_are_no_way_to_claim_to_be_human(locale, post, reply):
    guard = Guard(locale=locale, region=REGIONS[locale], post=post)
    guard.feed(reply)
    guard.close()
    assert "human_claim" in guard.withheld


def test_the_words_before_a_quote_are_no_leak_of_the_chain():
    post = "My family wants me to take the safe job but I want something different."
    sealed = ["regret/strong confusion/moderate｜" + post.rstrip(".")]
    reply = f"You wrote “{post.rstrip('.')}”, and I stopped there for a moment."
    guard = Guard(locale="en", region="US", sealed=sealed, post=post)
    assert guard.feed(reply) + guard.close() == reply
