import json

import pytest

from empathy_r1.graph.safety import help_for, protocol_text, published_protocol
from empathy_r1.graph.safety._forbidden import rules
from empathy_r1.graph.safety.help import places

LOCALES = pytest.mark.parametrize("locale", ["zh", "en"])


@LOCALES
def test_it_is_plain_json_made_from_the_tables(locale):
    data = published_protocol(locale)
    assert json.loads(json.dumps(data)) == data
    assert [card["region"] for card in data["help"]] == list(places())
    assert data["help_elsewhere"] == help_for(None, locale).as_json()
    named = {row["rule"] for row in data["withheld"]}
    assert {rule.name for rule in rules()} <= named
    assert {"contact", "chain_leak", "template", "encoded", "language", "loop"} <= named
    assert set(data["versions"]) >= {"hotlines", "crisis_zh", "crisis_en", "disclosures"}
    assert len(data["steps"]) == 7


@LOCALES
def test_the_page_names_every_line_rule_and_notice(locale):
    page, data = protocol_text(locale), published_protocol(locale)
    for card in data["help"]:
        assert card["text"] in page
    for row in (*data["withheld"], *data["disclosures"]):
        assert row.get("about", row.get("text")) in page
    assert data["versions"]["hotlines"] in page


@LOCALES
def test_it_claims_no_therapy_and_no_compliance(locale):
    page = protocol_text(locale).lower()
    assert "compliant" not in page
    assert ("不是心理治疗" if locale == "zh" else "not therapy") in page
