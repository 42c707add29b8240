"""Help lines for a person, by country: the only place that telephone numbers come from.

The table (tables/hotlines.toml) is keyed by ISO 3166-1 alpha-2 country, because the same number is another service
elsewhere. An unknown country gets the international directory, the advice to call the local emergency number, and
lines that are each labelled with the place they serve: for Chinese those of mainland China, Hong Kong and Taiwan,
for English 988 of the United States. A known country without a confirmed line gets no foreign number at all.
"""

import re
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from empathy_r1.graph.labels import Locale
from empathy_r1.graph.safety._tables import load

How = Literal["call", "text"]

_TABLE = load("hotlines")
VERSION: str = _TABLE["version"]
"""Version of the hotline table."""


@dataclass(frozen=True, slots=True)
class HelpLine:
    """One way to reach somebody: a number to call or to text."""

    name: str
    number: str
    """As people write it, such as `2896 0000`."""
    url: str
    hours: str
    """Confirmed opening hours in the reader's language; empty where none were confirmed."""
    how: How
    source: str
    verified: date
    """The day on which the source was read."""
    note: str = ""
    """What is confirmed about cost and confidentiality; empty where nothing is."""
    place: str = ""
    """The country served, in the reader's language."""

    @property
    def href(self) -> str:
        """The `tel:` or `sms:` link of a tap-to-call button."""
        return f"{'tel' if self.how == 'call' else 'sms'}:{_digits(self.number)}"


@dataclass(frozen=True, slots=True)
class HelpCard:
    """What is shown beside the talk while help is in view."""

    region: str | None
    """The country of the lines; None when it is unknown."""
    lines: tuple[HelpLine, ...]
    emergency: tuple[str, ...]
    """Emergency numbers of the country; empty means "the local emergency number"."""
    directory_url: str
    text: str
    """The card in one or two sentences, for places that cannot show buttons."""

    def as_json(self) -> dict[str, Any]:
        """The card for a front end, with a `href` for every number."""
        return {
            "region": self.region,
            "lines": [
                {
                    "name": line.name,
                    "number": line.number,
                    "href": line.href,
                    "how": line.how,
                    "url": line.url,
                    "hours": line.hours,
                    "note": line.note,
                    "place": line.place,
                    "source": line.source,
                    "verified": line.verified.isoformat(),
                }
                for line in self.lines
            ],
            "emergency": [{"number": n, "href": f"tel:{_digits(n)}"} for n in self.emergency],
            "directory_url": self.directory_url,
            "text": self.text,
        }

    def numbers(self) -> frozenset[str]:
        """The digits of every number on the card."""
        return frozenset(_digits(n) for n in (*(line.number for line in self.lines), *self.emergency))


def help_for(region: str | None, locale: Locale) -> HelpCard:
    """The help card of a country.

    Args:
        region: ISO 3166-1 alpha-2 code such as `CN`, also as the tail of a language tag (`zh-HK`); None if unknown.
        locale: the reader's language.
    """
    country = country_of(region)
    place = _TABLE["place"].get(country)
    if place is not None:
        lines = tuple(line for row in place["line"] for line in _lines(row, place[locale], locale))
        emergency = tuple(place["emergency"])
    else:
        lines = () if country else _unknown(locale)
        emergency = ()
    return HelpCard(
        region=country,
        lines=lines,
        emergency=emergency,
        directory_url=_TABLE["directory"]["url"],
        text=_text(lines, emergency, locale, labelled=country is None),
    )


def country_of(region: str | None) -> str | None:
    """The country code in `region`, upper case, or None: `cn`, `zh-CN`, `CN-HK` (Hong Kong), `US-CA` (the US)."""
    parts = [p for p in re.split(r"[-_]", (region or "").strip()) if p.isascii() and p.isalpha()]
    if not parts:
        return None
    head, tail = parts[0], parts[-1]
    if len(parts) > 1 and (head.islower() or (head == "CN" and tail in ("HK", "TW", "MO"))):
        return tail.upper() if len(tail) == 2 else None
    return head.upper() if len(head) == 2 else None


def places() -> tuple[str, ...]:
    """The countries with confirmed lines."""
    return tuple(_TABLE["place"])


def short(card: HelpCard, locale: Locale) -> str:
    """Whom to call, as a part of a sentence, such as `the 988 Suicide & Crisis Lifeline at 988 (...)`."""
    url = card.directory_url
    first = {line.number: line for line in reversed(card.lines)}
    if card.region is None:
        places = [f"{line.place} {line.number}" for line in reversed(first.values())]
        if locale == "zh":
            return f"心理援助热线（{'，'.join(places)}，其他地方可以查 {url} ）"
        named = ", ".join(f"{line.number} in {line.place}" for line in first.values())
        return f"a crisis line ({named}; elsewhere {url} )"
    if not card.lines:
        return (
            f"当地的热线（可以在 {url} 查到）" if locale == "zh" else f"a local crisis line (you can find it at {url} )"
        )
    line = card.lines[0]
    detail = line.note or line.hours
    if locale == "zh":
        return f"{line.name} {line.number}" + (f"（{detail}）" if detail else "")
    return f"the {line.name.removeprefix('the ')} at {line.number}" + (f" ({detail})" if detail else "")


def urgent(card: HelpCard, locale: Locale) -> str:
    """The emergency number as a part of a sentence."""
    if locale == "zh":
        return " 或 ".join(card.emergency) or "当地的急救或报警电话"
    return " or ".join(card.emergency) or "your local emergency number"


def takes_text(card: HelpCard) -> bool:
    """Whether the first line of a known country also takes texts."""
    return card.region is not None and any(
        line.how == "text" and line.number == card.lines[0].number for line in card.lines
    )


def _unknown(locale: Locale) -> tuple[HelpLine, ...]:
    found = []
    for key in _TABLE["unknown"][locale]:
        country, _, number = key.partition(":")
        place = _TABLE["place"][country]
        row = next(row for row in place["line"] if row["number"] == number)
        found += _lines(row, place[locale], locale)
    return tuple(found)


def _lines(row: dict[str, Any], place: str, locale: Locale) -> list[HelpLine]:
    return [
        HelpLine(
            name=row[f"name_{locale}"],
            number=row["number"],
            url=row["url"],
            hours=row[f"hours_{locale}"],
            how=how,
            source=row["source"],
            verified=row["verified"],
            note=row[f"note_{locale}"],
            place=place,
        )
        for how in row["how"]
    ]


def _text(lines: tuple[HelpLine, ...], emergency: tuple[str, ...], locale: Locale, *, labelled: bool) -> str:
    url = _TABLE["directory"]["url"]
    first: dict[str, HelpLine] = {}
    texting = {line.number for line in lines if line.how == "text"}
    for line in lines:
        first.setdefault(line.number, line)
    shown = list(first.values())[:3] if labelled else list(first.values())[:1]
    if locale == "zh":
        said = "；".join(_say_zh(line, labelled, line.number in texting) for line in shown)
        urgent = (
            f"眼下就有危险，请打 {' 或 '.join(emergency)}" if emergency else "眼下就有危险，请打当地的急救或报警电话"
        )
        elsewhere = f"其他国家和地区可以在 {url} 找到当地的热线" if labelled or not shown else ""
        return "。".join(filter(None, (said, elsewhere, urgent))) + "。"
    said = "; ".join(_say_en(line, labelled, line.number in texting) for line in shown)
    urgent = (
        f"If you are in danger right now, call {' or '.join(emergency)}"
        if emergency
        else "If you are in danger right now, call your local emergency number"
    )
    elsewhere = (
        f"{'For other countries, f' if shown else 'F'}ind a local line at {url}" if labelled or not shown else ""
    )
    return ". ".join(filter(None, (said, elsewhere, urgent))) + "."


def _say_zh(line: HelpLine, labelled: bool, text: bool) -> str:
    what = f"{line.place}：{line.number}" if labelled else f"{line.name} {line.number}"
    detail = "，".join(filter(None, ("可打电话也可发短信" if text else "", line.note, line.hours)))
    return f"{what}（{detail}）" if detail else what


def _say_en(line: HelpLine, labelled: bool, text: bool) -> str:
    where = f" in {line.place}" if labelled else ""
    detail = ", ".join(filter(None, (line.note, line.hours)))
    return f"{line.name}{where}: {'call or text' if text else 'call'} {line.number}" + (
        f" ({detail})" if detail else ""
    )


def _digits(number: str) -> str:
    return "".join(c for c in number if c.isdigit())
