"""The crisis protocol, published: made from the very tables that the product speaks from, so it cannot drift."""

from typing import Any

from empathy_r1.graph.labels import Locale
from empathy_r1.graph.safety import disclosures
from empathy_r1.graph.safety._forbidden import about
from empathy_r1.graph.safety._tables import load
from empathy_r1.graph.safety.crisis import grounding, safety_plan
from empathy_r1.graph.safety.help import help_for, places

_TABLES = ("hotlines", "crisis_zh", "crisis_en", "guard_zh", "guard_en", "disclosures")


def published_protocol(locale: Locale) -> dict[str, Any]:
    """What `GET /safety-protocol` answers: JSON values with the protocol's steps, help lines, rules and sources."""
    words = load("protocol")[locale]
    more = load("protocol")["withheld"]
    withheld = about(locale) | {name: texts[locale] for name, texts in more.items()}
    return {
        "title": words["title"],
        "summary": words["summary"],
        "limits": list(words["limits"]),
        "steps": [dict(step) for step in words["step"]],
        "help": [help_for(place, locale).as_json() for place in places()],
        "help_elsewhere": help_for(None, locale).as_json(),
        "withheld": [{"rule": name, "about": text} for name, text in withheld.items()],
        "disclosures": disclosures.rows(locale),
        "safety_plan": safety_plan(locale),
        "grounding": grounding(locale),
        "versions": {name: load(name)["version"] for name in _TABLES},
    }


def protocol_text(locale: Locale) -> str:
    """The protocol as Markdown, for a page."""
    data, words = published_protocol(locale), load("protocol")[locale]["heading"]
    parts = [f"# {data['title']}", data["summary"], f"## {words['steps']}"]
    parts += [f"**{step['title']}** {step['text']}" for step in data["steps"]]
    parts += [f"## {words['help']}"]
    for card in (*data["help"], data["help_elsewhere"]):
        place = card["lines"][0]["place"] if card["region"] else words["elsewhere"]
        parts.append(f"**{place}** {card['text']}")
    parts += [f"## {words['withheld']}", "\n".join(f"- {row['about']}" for row in data["withheld"])]
    parts += [f"## {words['disclosures']}"]
    parts += [f"- {row['text']} ({'; '.join(row['laws'])})" for row in data["disclosures"]]
    parts += [f"## {words['limits']}", "\n".join(f"- {limit}" for limit in data["limits"])]
    parts += [f"{words['versions']} " + ", ".join(f"{k} {v}" for k, v in data["versions"].items())]
    return "\n\n".join(parts) + "\n"
