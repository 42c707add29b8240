"""Posts of the grammar: deterministic, valid on the wire, and every quote stands in the post."""

import re

import pytest

from empathy_r1.graph import safety, wire
from empathy_r1.graph.labels import Locale
from empathy_r1.training.data.grammar import samples

LOCALES: tuple[Locale, ...] = ("zh", "en")


@pytest.mark.parametrize("locale", LOCALES)
def test_the_same_seed_makes_the_same_posts(locale: Locale) -> None:
    assert list(samples(locale, 20, 3)) == list(samples(locale, 20, 3))
    assert list(samples(locale, 20, 3)) != list(samples(locale, 20, 4))


@pytest.mark.parametrize("locale", LOCALES)
def test_chains_come_through_the_wire_unchanged(locale: Locale) -> None:
    for sample in samples(locale, 150, 1):
        parsed = wire.parse(wire.render(sample["chain"]))
        for section in wire.SECTIONS:
            assert wire.repair(section, parsed[section], locale) == sample["chain"][section]


@pytest.mark.parametrize("locale", LOCALES)
def test_quotes_are_copied_from_the_post(locale: Locale) -> None:
    for sample in samples(locale, 150, 2):
        post = sample["post"].lower()
        quoted = re.match(r"[^“]*“([^”]+)”", sample["chain"]["response"])
        assert quoted is not None
        assert quoted[1].lower() in post


@pytest.mark.parametrize("locale", LOCALES)
def test_no_post_alarms_and_no_reply_diagnoses(locale: Locale) -> None:
    alarms = 0
    for sample in samples(locale, 300, 5):
        alarms += safety.screen(sample["post"]).alarm
        broken = safety.check(sample["chain"]["response"], locale=locale, post=sample["post"])
        assert not {"diagnosis", "medication", "chain", "secrecy"} & set(broken), sample["chain"]["response"]
    assert alarms == 0
