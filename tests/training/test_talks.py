"""Talks and drills: deterministic, valid on the wire, no alarm, and quotes that stand in the post."""

import pytest

from empathy_r1.graph import safety, wire
from empathy_r1.graph.labels import Locale
from empathy_r1.training.data import drills, talks

LOCALES: tuple[Locale, ...] = ("zh", "en")


@pytest.mark.parametrize("source", [talks, drills])
@pytest.mark.parametrize("locale", LOCALES)
def test_the_same_seed_makes_the_same_samples(source, locale: Locale) -> None:
    assert list(source.samples(locale, 20, 3)) == list(source.samples(locale, 20, 3))
    assert list(source.samples(locale, 20, 3)) != list(source.samples(locale, 20, 4))


@pytest.mark.parametrize("source", [talks, drills])
@pytest.mark.parametrize("locale", LOCALES)
def test_chains_come_through_the_wire_unchanged(source, locale: Locale) -> None:
    for sample in source.samples(locale, 150, 1):
        parsed = wire.parse(wire.render(sample["chain"]))
        for section in wire.SECTIONS:
            assert wire.repair(section, parsed[section], locale) == sample["chain"][section]


@pytest.mark.parametrize("locale", LOCALES)
def test_no_talk_alarms(locale: Locale) -> None:
    for sample in talks.samples(locale, 300, 5):
        assert not safety.screen(sample["post"]).alarm, sample["post"]


@pytest.mark.parametrize("locale", LOCALES)
def test_a_drill_quotes_its_post(locale: Locale) -> None:
    for sample in drills.samples(locale, 50, 2):
        assert sample["chain"]["cause"] in sample["post"]
