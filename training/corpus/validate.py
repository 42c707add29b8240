"""Checks every rule of the corpus that a program can check.

    python -m empathy_r1.training.corpus.validate

prints one line for each problem and ends with status 1 if there is any. What no program sees (whether a reply is good,
whether a cause is the true one) is left to readers.
"""

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from empathy_r1.graph import wire
from empathy_r1.graph.labels import EMOTIONS, INTENSITIES, INTENTIONS, Locale, find
from empathy_r1.training.corpus.loader import numbered
from empathy_r1.training.corpus.plan import brief, split_of
from empathy_r1.training.corpus.schema import Record, chain

POST: dict[Locale, tuple[int, int]] = {"zh": (200, 800), "en": (120, 450)}
"""Shortest and longest post: characters in Chinese, words in English."""
REPLY: dict[Locale, tuple[int, int]] = {"zh": (200, 600), "en": (100, 300)}
"""Shortest and longest reply, in the same units."""

HEAD: dict[Locale, int] = {"zh": 6, "en": 4}
"""Units of an opening or a closing that are compared."""
PHRASE: dict[Locale, int] = {"zh": 10, "en": 6}
"""Units of a phrase that counts as a stock phrase when replies share it."""
SHARED = 3
"""Most posts or replies that may share an opening, a closing or a phrase: 3, or 1 in 100 if that is more."""
SHINGLE: dict[Locale, int] = {"zh": 5, "en": 3}
NEAR = 0.2
"""Jaccard overlap of shingles from which two posts count as near-duplicates."""
ECHO: dict[Locale, int] = {"zh": 40, "en": 20}
"""Longest run of the post that a reply may repeat."""

_FORBIDDEN = {
    "a phone number": re.compile(r"(?<!\d)(?:\d[\d\- ]{4,}\d|12355|12356|988|110|120|999|911|116 ?123)(?!\d)"),
    "a diagnosis": re.compile(
        r"你(?:这是|就是|得了|患有|患了|有)(?:典型的)?(?:抑郁|双相|焦虑|强迫|精神分裂|人格障碍)症?"
        r"|you(?:'re| are| have| suffer from) (?:clinically |severely )?(?:depress(?:ed|ion)|bipolar|ptsd|ocd|schizo)",
        re.IGNORECASE,
    ),
    "medication": re.compile(
        r"安眠药|抗抑郁药|褪黑素|阿普唑仑|舍曲林"
        r"|melatonin|sertraline|xanax|ssri|sleeping pills",
        re.IGNORECASE,
    ),
    "a promise": re.compile(
        r"一定会(?:好|过去)|我(?:向你)?保证"
        r"|I promise|will (?:definitely|surely) (?:get|be)",
        re.IGNORECASE,
    ),
    "a list": re.compile(r"^\s*(?:[-*•]|\d+[.、)]|[一二三四五][、.])", re.MULTILINE),
    "a chain leak": re.compile(r"</?(?:emotion|cause|intention|strategy|response)>", re.IGNORECASE),
}  # fmt: skip
_STRENGTH = [label.key for label in INTENSITIES]
_HELP = re.compile(
    r"热线|急诊|医院|医生|急救|报警|help ?line|crisis line|hotline|emergency|doctor|nurse|hospital", re.IGNORECASE
)


def check(record: Record) -> Iterator[str]:
    """What is wrong with one record, in sentences."""
    yield from _planned(record)
    yield from _grounded(record)
    yield from _labelled(record)
    yield from _sized("post", record.post, record.locale, POST)
    for name, text in _replies(record):
        yield from _sized(name, text, record.locale, REPLY)
        for what, pattern in _FORBIDDEN.items():
            if found := pattern.search(text):
                yield f"the {name} holds {what}: {found[0]!r}; a good reply never does."
        if _longest_echo(record, text) >= ECHO[record.locale]:
            yield f"the {name} repeats {ECHO[record.locale]} units of the post in a row; use other words."
        if record.level in ("high", "imminent") and not record.about_other and not _HELP.search(text):
            yield f"the level is {record.level}, but the {name} leads to no human help; name some, without numbers."
    tiers = [r.tier for r in record.rejected]
    if len(tiers) != len(set(tiers)):
        yield "a tier of rejected replies occurs twice; expected one text for a tier."


def check_all(records: Sequence[Record]) -> Iterator[str]:
    """What is wrong with the records as a whole, in sentences that open with the ids concerned."""
    for record_id, times in Counter(r.id for r in records).items():
        if times > 1:
            yield f"{record_id}: occurs {times} times; expected once."
    for locale in POST:
        part = [r for r in records if r.locale == locale]
        for name, texts in (("post", {r.id: r.post for r in part}), ("reply", {r.id: r.reply for r in part})):
            yield from _repeated(f"{name} opening", {i: units(t, locale)[: HEAD[locale]] for i, t in texts.items()})
            yield from _repeated(f"{name} closing", {i: units(t, locale)[-HEAD[locale] :] for i, t in texts.items()})
            yield from _phrases(name, texts, locale)
            yield from _near(name, texts, locale)


def units(text: str, locale: Locale) -> tuple[str, ...]:
    """The characters (Chinese) or words (English) of `text`, in lower case and without marks and blanks."""
    return tuple(re.findall(r"\w" if locale == "zh" else r"[\w'’]+", text.lower()))


def shingles(text: str, locale: Locale, size: int) -> set[tuple[str, ...]]:
    """All runs of `size` units of `text`."""
    found = units(text, locale)
    return {found[i : i + size] for i in range(len(found) - size + 1)}


def length(text: str, locale: Locale) -> int:
    """Characters of a Chinese text, words of an English one."""
    return len(text) if locale == "zh" else len(text.split())


def _planned(record: Record) -> Iterator[str]:
    if not record.id.startswith(record.locale):
        yield f"the id does not fit the locale {record.locale!r}; expected {record.locale}-...."
    try:
        planned = brief(record.id)
    except ValueError as error:
        yield str(error)
        return
    if (record.topic, record.subtopic) != (planned.topic, planned.subtopic):
        yield f"topic {record.topic}/{record.subtopic} is not the plan's {planned.topic}/{planned.subtopic}."
    if record.split != split_of(record.id, record.topic):
        yield f"split {record.split} is not the plan's {split_of(record.id, record.topic)}."


def _grounded(record: Record) -> Iterator[str]:
    quotes = [q for e in record.emotions for q in e.words] + [q for c in record.causes for q in c.evidence]
    for quote in quotes:
        if quote not in record.post:
            yield f"the quote {quote!r} is not in the post; quote it exactly."


def _labelled(record: Record) -> Iterator[str]:
    felt = [e.label for e in record.emotions]
    wanted = [record.intention.primary, *record.intention.secondary]
    unknown = [key for key in felt if not _is_key(EMOTIONS, key)] + [k for k in wanted if not _is_key(INTENTIONS, k)]
    if unknown:
        yield f"the labels {unknown} are not English keys of graph.labels; correct them."
        return
    if len(felt) != len(set(felt)) or len(wanted) != len(set(wanted)) or len(wanted) > 3:
        yield "a label occurs twice, or there are more than three intentions."
    strengths = [_STRENGTH.index(e.intensity) for e in record.emotions]
    if strengths != sorted(strengths, reverse=True):
        yield "an emotion stands behind a weaker one; put the strongest first."
    for section, text in chain(record).items():
        if wire.repair(section, text, record.locale) != text:
            yield f"the section {section} is not as the wire format leaves it; shorten it or drop line breaks."


def _is_key(table: tuple[object, ...], key: str) -> bool:
    label = find(EMOTIONS, key) if table is EMOTIONS else find(INTENTIONS, key)
    return label is not None and label.key == key


def _sized(name: str, text: str, locale: Locale, bounds: dict[Locale, tuple[int, int]]) -> Iterator[str]:
    low, high = bounds[locale]
    if not low <= length(text, locale) <= high:
        yield f"the {name} has {length(text, locale)} units; expected {low} to {high}."


def _replies(record: Record) -> Iterator[tuple[str, str]]:
    yield "reply", record.reply
    if record.reply_alternative is not None:
        yield "alternative reply", record.reply_alternative


def _longest_echo(record: Record, reply: str) -> int:
    size = ECHO[record.locale]
    return size if shingles(record.post, record.locale, size) & shingles(reply, record.locale, size) else 0


def _repeated(name: str, ends: dict[str, tuple[str, ...]]) -> Iterator[str]:
    where: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for record_id, end in ends.items():
        where[end].append(record_id)
    for end, ids in where.items():
        if len(ids) > max(SHARED, len(ends) // 100):
            yield f"{', '.join(ids)}: share the {name} {' '.join(end)!r}; write them anew."


def _phrases(name: str, texts: dict[str, str], locale: Locale) -> Iterator[str]:
    where: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for record_id, text in texts.items():
        for phrase in shingles(text, locale, PHRASE[locale]):
            where[phrase].append(record_id)
    for phrase, ids in where.items():
        if len(ids) > SHARED:
            yield f"{', '.join(ids)}: share the phrase {' '.join(phrase)!r} in a {name}; write them anew."


def _near(name: str, texts: dict[str, str], locale: Locale) -> Iterator[str]:
    sizes: dict[str, int] = {}
    holders: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for record_id, text in texts.items():
        found = shingles(text, locale, SHINGLE[locale])
        # Most pairs share nothing: only those that do are counted.
        shared = Counter(other for shingle in found for other in holders.get(shingle, ()))
        for other, count in shared.items():
            overlap = count / (len(found) + sizes[other] - count)
            if overlap >= NEAR:
                yield f"{other}, {record_id}: the {name} overlaps by {overlap:.0%}; expected less than {NEAR:.0%}."
        sizes[record_id] = len(found)
        for shingle in found:
            holders[shingle].append(record_id)


def report(numbered_records: Iterable[tuple[str, Record]]) -> list[str]:
    """Every problem of the records, each with its place."""
    pairs = list(numbered_records)
    problems = [f"{place} {record.id}: {problem}" for place, record in pairs for problem in check(record)]
    return problems + list(check_all([record for _, record in pairs]))


if __name__ == "__main__":
    found = report(numbered())
    print("\n".join(found) or "The corpus keeps every rule that a program can check.")  # noqa: T201
    sys.exit(1 if found else 0)
