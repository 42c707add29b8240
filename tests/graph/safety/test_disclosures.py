import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_r1.graph.safety import DisclosureHistory, check, due, noted, opened, seen
from empathy_r1.graph.safety.disclosures import rows

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEW = DisclosureHistory()


class Clock:
    """A person who writes every so often; each message is answered with what is due."""

    def __init__(self, region="US", locale="en", minor=False):
        self.now, self.history, self.told = NOON, NEW, []
        self.where = {"region": region, "locale": locale, "minor": minor}

    def message(self, after=timedelta(), asked=False):
        self.now += after
        found = due(self.history, now=self.now, asked=asked, **self.where)
        self.history = DisclosureHistory.of(json.loads(json.dumps(noted(self.history, found, now=self.now).as_json())))
        self.told += [(d.id, self.now - NOON) for d in found]
        return [d.id for d in found]


def minutes(n):
    return timedelta(minutes=n)


@pytest.mark.parametrize("region", ["US", "CN", "FR", None])
def test_the_first_message_is_told_and_the_second_is_not(region):
    clock = Clock(region)
    assert clock.message() == ["start"]
    assert clock.message(minutes(1)) == []


def test_every_three_hours_of_talk():
    clock = Clock("FR")
    clock.message()
    for _ in range(60):
        clock.message(minutes(10))
    told = [at for rule, at in clock.told if rule == "every_3h"]
    assert told == [timedelta(hours=3), timedelta(hours=6), timedelta(hours=9)]


def test_breaks_come_after_three_hours_and_in_china_after_two():
    for region, rule, hours in (("US", "break_3h", 3), ("CN", "break_2h_cn", 2), (None, "break_3h", 3)):
        clock = Clock(region)
        for _ in range(60):
            clock.message(minutes(10))
        assert [at for r, at in clock.told if r.startswith("break")][:2] == [
            minutes(10) + timedelta(hours=hours),
            minutes(10) + timedelta(hours=2 * hours),
        ]
        assert {r for r, _ in clock.told if r.startswith("break")} == {rule}


def test_a_pause_begins_a_new_stretch_of_use():
    clock = Clock("CN")
    for _ in range(11):
        clock.message(minutes(10))
    clock.message(minutes(45))
    assert not any(rule.startswith("break") for rule, _ in clock.told)
    for _ in range(13):
        clock.message(minutes(10))
    assert any(rule.startswith("break") for rule, _ in clock.told)


def test_after_a_week_it_is_said_again():
    clock = Clock()
    clock.message()
    assert "absence_7d" in clock.message(timedelta(days=7))
    assert clock.message(minutes(1)) == []
    clock = Clock()
    clock.message()
    assert "absence_7d" not in clock.message(timedelta(days=6, hours=23))


def test_a_new_session_is_told_once_even_after_an_absence():
    clock = Clock()
    clock.message()
    clock.history = opened(clock.history)
    assert clock.message(timedelta(days=9)) == ["start"]


def test_asked_it_answers_every_time():
    clock = Clock()
    clock.message()
    assert clock.message(minutes(1), asked=True) == ["asked"]
    assert clock.message(minutes(1), asked=True) == ["asked"]


def test_minors_are_told_more_and_gently():
    clock = Clock("US", minor=True)
    assert clock.message() == ["start", "minor_start"]
    for _ in range(19):
        clock.message(minutes(10))
    assert "minor_break_3h" in [rule for rule, _ in clock.told]
    assert "minor_start" not in [d.id for d in due(NEW, now=NOON, region="US", locale="en", minor=False)]


def test_reading_does_not_change_the_history():
    history = seen(NEW, now=NOON)
    assert due(history, now=NOON, region="US", locale="en") == due(history, now=NOON, region="US", locale="en")
    assert history == seen(NEW, now=NOON)


def test_any_zone_is_the_same_moment():
    shanghai = NOON.astimezone(timezone(timedelta(hours=8)))
    assert due(NEW, now=NOON, region="CN", locale="zh") == due(NEW, now=shanghai, region="CN", locale="zh")
    with pytest.raises(ValueError, match="no time zone"):
        due(NEW, now=datetime(2026, 3, 1), region="CN", locale="zh")


@given(
    st.dictionaries(
        st.sampled_from(["last_seen", "using_since", "started", "shown", "x"]),
        st.none() | st.text() | st.integers() | st.dictionaries(st.text(), st.text()),
    )
)
def test_a_malformed_history_counts_as_never_shown(data):
    history = DisclosureHistory.of(data)
    assert DisclosureHistory.of(history.as_json()) == history
    due(history, now=NOON, region="CN", locale="zh")


@given(st.lists(st.integers(0, 20_000), max_size=40), st.sampled_from(["US", "CN", None]), st.booleans())
def test_no_notice_comes_twice_within_its_hours(gaps, region, minor):
    clock = Clock(region, minor=minor)
    clock.message()
    for gap in gaps:
        clock.message(minutes(gap))
    last = {}
    for rule, at in clock.told:
        if rule in last and not rule.startswith("absence"):
            assert at - last[rule] >= timedelta(hours=2)
        last[rule] = at
    repeats = [at for rule, at in clock.told if rule == "start"]
    assert repeats == [timedelta()]


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_every_row_names_a_law_and_claims_no_compliance(locale):
    for row in rows(locale):
        assert row["laws"]
        assert row["text"]
        assert "complian" not in json.dumps(row).lower()
        assert check(row["text"], locale=locale) == []
