"""The runtime below EmbeddedChat: caches, the turnstile, stop text, sampling."""

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_r1.graph.models._decoder import FEED, Cache, Decoder, Turnstile
from empathy_r1.graph.models._pool import Pool
from empathy_r1.graph.models._runtime import StopText
from empathy_r1.graph.models._sampling import choose

TINY = Path(__file__).parent / "tiny"


@pytest.fixture(scope="module")
def decoder():
    return Decoder(TINY, threads=1, parallel=2)


def feed(cache, tokens):
    for at in range(0, len(tokens), FEED):
        logits = cache.feed(tokens[at : at + FEED])
    return logits


def tokens_of(count, seed=0):
    return np.random.default_rng(seed).integers(3, 300, count).tolist()


@pytest.mark.parametrize("cuts", [[1], [63, 64], [10, 20, 99]])
def test_pieces_give_the_same_logits_as_the_whole(decoder, cuts):
    tokens, cache = tokens_of(100), Cache(decoder)
    whole = feed(Cache(decoder), tokens)
    for start, end in zip([0, *cuts], [*cuts, 100], strict=True):
        last = feed(cache, tokens[start:end])
    np.testing.assert_allclose(last, whole, atol=1e-4)


def test_going_back_and_growing_change_nothing(decoder):
    tokens = tokens_of(600)
    small = Cache(decoder, capacity=16)
    feed(small, tokens[:300] + tokens_of(50, seed=1))
    small.rewind(300)
    np.testing.assert_allclose(feed(small, tokens[300:]), feed(Cache(decoder, 1024), tokens), atol=1e-4)
    assert small.tokens == tokens
    assert small.capacity == decoder.context == 1024
    assert small.nbytes == 1024 * decoder.token_bytes


def test_a_fork_lives_on_its_own(decoder):
    tokens, cache = tokens_of(200), Cache(decoder)
    feed(cache, tokens)
    fork = cache.fork(120)
    other = feed(fork, tokens_of(30, seed=2))
    again = feed(Cache(decoder), tokens[:120] + tokens_of(30, seed=2))
    np.testing.assert_allclose(other, again, atol=1e-4)
    cache.rewind(199)
    np.testing.assert_allclose(feed(cache, tokens[199:]), feed(Cache(decoder), tokens), atol=1e-4)


def test_idle_caches_stay_within_their_budget(decoder):
    pool = Pool(decoder, budget=3 * 512 * decoder.token_bytes)
    for seed in range(8):
        prompt = tokens_of(40, seed)
        with pool.lease(prompt) as cache:
            feed(cache, prompt)
    assert len(pool._idle) == 3
    with pool.lease(tokens_of(40, seed=7)) as cache:
        assert len(cache.tokens) == 39  # the latest is still there
    tight = Pool(decoder, budget=0)
    with tight.lease([5, 6]) as cache:
        feed(cache, [5, 6])
    assert len(tight._idle) == 1


def test_the_turnstile_keeps_the_order():
    turnstile, order, threads = Turnstile(1), [], []
    with turnstile:
        for name in range(5):
            thread = threading.Thread(target=lambda name=name: _pass(turnstile, order, name))
            thread.start()
            threads.append(thread)
            while len(turnstile._line) <= name:
                threading.Event().wait(0.001)
    for thread in threads:
        thread.join(5)
    assert order == [0, 1, 2, 3, 4]


def _pass(turnstile, order, name):
    with turnstile:
        order.append(name)


@given(st.lists(st.text("ab</>。", max_size=6), max_size=12), st.lists(st.text("ab</>。", min_size=1, max_size=5)))
def test_stop_text_does_not_depend_on_how_the_text_comes(pieces, stops):
    text, stream, shown = "".join(pieces), StopText(stops), ""
    for piece in pieces:
        shown += stream.feed(piece)
        assert text.startswith(shown)
        if stream.met:
            break
    shown += stream.rest()
    if stream.met:
        assert any(text[len(shown) :].startswith(stop) for stop in stops)
    else:
        assert shown == text
    assert not any(stop in shown for stop in stops)


@given(st.integers(1, 40), st.floats(0.1, 5), st.floats(0.01, 1), st.integers(0, 99))
def test_sampling_stays_in_the_nucleus(size, temperature, top_p, seed):
    dice = np.random.default_rng(seed)
    logits = dice.normal(size=size).astype(np.float32) * 3
    options = {"repetition_penalty": 1.0, "seen": [], "dice": dice}
    token = choose(logits, temperature=temperature, top_p=top_p, **options)
    weights = np.exp(logits.astype(np.float64) / temperature)
    better = weights[weights > weights[token]].sum() / weights.sum()
    assert better <= top_p + 1e-9
    assert choose(logits, temperature=0.0, top_p=top_p, **options) == logits.argmax()


def test_the_penalty_works_on_both_signs():
    logits = np.array([2.0, 1.9, -1.0, -1.1], np.float32)
    options = {"temperature": 0.0, "top_p": 1.0, "dice": np.random.default_rng(0)}
    assert choose(logits, repetition_penalty=1.2, seen=[0, 0], **options) == 1
    assert choose(logits[2:], repetition_penalty=1.2, seen=[0], **options) == 1
    assert logits[0] == 2.0
