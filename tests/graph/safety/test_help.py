import json
from datetime import date

import pytest

from empathy_r1.graph.safety import help_for
from empathy_r1.graph.safety.help import VERSION, country_of, places, short, takes_text, urgent


@pytest.mark.parametrize("locale", ["zh", "en"])
@pytest.mark.parametrize("place", places())
def test_every_line_names_its_source_and_day(place, locale):
    card = help_for(place, locale)
    assert card.region == place
    assert card.lines
    for line in card.lines:
        assert line.name
        assert line.number
        assert line.source
        assert date(2026, 1, 1) < line.verified <= date.fromisoformat(VERSION)
        assert line.place
        assert line.how in ("call", "text")


def test_numbers_belong_to_their_country():
    assert {line.number for line in help_for("CN", "zh").lines} == {"12356"}
    assert help_for("CN", "zh").emergency == ("120", "110")
    assert [line.number for line in help_for("HK", "en").lines] == ["18111", "2896 0000", "2389 2222", "2382 0000"]
    assert [line.number for line in help_for("TW", "zh").lines] == ["1925", "1995", "1980"]
    assert {(line.number, line.how) for line in help_for("US", "en").lines} == {("988", "call"), ("988", "text")}


def test_round_the_clock_is_said_only_where_it_was_confirmed():
    assert "24" not in help_for("CN", "zh").text
    assert "18 小时" in help_for("CN", "zh").text
    assert "24 hours" in help_for("US", "en").text
    assert help_for("TW", "en").lines[1].hours == ""


@pytest.mark.parametrize("locale", ["zh", "en"])
@pytest.mark.parametrize("region", ["GB", "NO", "DE", "XX"])
def test_a_country_without_a_confirmed_line_gets_the_directory_and_no_foreign_number(region, locale):
    card = help_for(region, locale)
    assert card.lines == ()
    assert card.emergency == ()
    assert not any(c.isdigit() for c in card.text)
    assert card.directory_url in card.text
    assert ("当地的急救" if locale == "zh" else "local emergency number") in card.text


def test_an_unknown_country_gets_lines_that_name_their_place():
    zh, en = help_for(None, "zh"), help_for(None, "en")
    assert [(line.place, line.number) for line in zh.lines] == [
        ("中国大陆", "12356"),
        ("香港", "18111"),
        ("台湾", "1925"),
    ]
    assert {(line.place, line.number) for line in en.lines} == {("the United States", "988")}
    for card in (zh, en):
        assert card.emergency == ()
        assert all(line.place in card.text for line in card.lines)
        assert card.directory_url in card.text


@pytest.mark.parametrize(
    ("region", "country"),
    [
        ("cn", "CN"),
        (" CN ", "CN"),
        ("zh-CN", "CN"),
        ("zh_Hant_TW", "TW"),
        ("CN-HK", "HK"),
        ("CN-BJ", "CN"),
        ("US-CA", "US"),
        ("en-US", "US"),
        ("USA", None),
        ("zh", "ZH"),
        ("", None),
        (None, None),
        ("中国", None),
        ("86", None),
    ],
)
def test_countries_are_read_from_codes_and_language_tags(region, country):
    assert country_of(region) == country


@pytest.mark.parametrize("region", [*places(), None, "GB"])
@pytest.mark.parametrize("locale", ["zh", "en"])
def test_the_card_is_json_with_links_to_tap(region, locale):
    card = json.loads(json.dumps(help_for(region, locale).as_json()))
    for line in card["lines"]:
        scheme, _, digits = line["href"].partition(":")
        assert scheme == {"call": "tel", "text": "sms"}[line["how"]]
        assert digits == line["number"].replace(" ", "")
    assert all(e["href"] == f"tel:{e['number']}" for e in card["emergency"])
    assert card["text"]


def test_parts_of_sentences():
    us, cn, nowhere = help_for("US", "en"), help_for("CN", "zh"), help_for(None, "en")
    assert short(us, "en") == "the 988 Suicide & Crisis Lifeline at 988 (free and confidential)"
    assert short(cn, "zh") == "全国统一心理援助热线 12356（匿名）"
    assert "988 in the United States" in short(nowhere, "en")
    assert urgent(cn, "zh") == "120 或 110"
    assert urgent(nowhere, "en") == "your local emergency number"
    assert takes_text(us)
    assert not takes_text(cn)
    assert not takes_text(nowhere)
