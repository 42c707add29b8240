"""Posts that are made of the sentence bank: situation, details, feelings, thoughts and a wish, in many orders.

Half of them also tell of other things, some of them of another topic, one in four up to the length of a long post.
"""

import random
from collections.abc import Iterator, Sequence

from empathy_r1.graph.labels import Locale
from empathy_r1.training.data.compose import Reading, compose
from empathy_r1.training.data.sample import Sample
from empathy_r1.training.data.sentences import Aspect, aspects, life, pick, speech

_INTENTIONS = (
    *("vent", "understanding", "comfort", "reassurance", "company", "clarity", "decision", "advice", "information"),
    *("advice", "vent"),
)
_LIFE = (0, 0, 0, 0, 0, 1, 2, 3, 5)
"""How many lines about other things a post holds that is not long."""
_LONG = 0.25
"""Share of long posts."""
_LENGTHS: dict[Locale, tuple[int, int]] = {"zh": (260, 760), "en": (700, 2000)}
"""Characters that a long post aims at."""
_ASIDE = (0, 0, 0, 0, 1, 1, 2)
"""How many details of another topic a post holds: what is said once is not what it is about."""
_STARTS: dict[Locale, tuple[str, ...]] = {
    "zh": ("", "", "", "大家好，", "不知道从哪说起。", "第一次在这里写。", "睡不着，上来说几句。", "最近"),
    "en": ("", "", "", "Hi. ", "I don't know where to start. ", "First time writing here. ", "Long post, sorry. "),
}


def samples(locale: Locale, count: int, seed: int, beside: Sequence[str] = ()) -> Iterator[Sample]:
    """`count` posts with gold chains, the same for the same arguments.

    Args:
        locale: language of the posts.
        count: how many.
        seed: of the dice.
        beside: sentences beside the matter that long posts may hold as well; those of the bank always serve.
    """
    dice = random.Random(f"{seed}:{locale}")
    for number in range(count):
        aspect = dice.choice(aspects(locale))
        post, reading = _post(aspect, locale, dice, beside)
        yield Sample(
            id=f"grammar-{locale}-{seed}-{number}",
            locale=locale,
            source="grammar",
            topic=aspect.name,
            history=[],
            post=post,
            chain=compose(reading, dice),
        )


def _post(aspect: Aspect, locale: Locale, dice: random.Random, beside: Sequence[str]) -> tuple[str, Reading]:
    felt, said = feelings(aspect, locale, dice)
    intention = dice.choice(_INTENTIONS)
    event = line(aspect.lines["event"], locale, dice)
    details = _several(aspect.lines["detail"], dice.choice((1, 1, 2, 3, 4, 6)), locale, dice)
    belief = line(aspect.lines["belief"], locale, dice) if dice.random() < 0.6 else ""
    wish = line(speech("intentions", locale)[intention].lines["say"], locale, dice)
    middle = [*details, *said, belief]
    if dice.random() < _LONG:
        middle += _filling(sum(map(len, middle)), beside, locale, dice)
    else:
        middle += _several(life(locale), dice.choice(_LIFE), locale, dice)
    other = dice.choice(aspects(locale))
    middle += _several(other.lines["detail"], dice.choice(_ASIDE) if len(details) > 1 else 0, locale, dice)
    dice.shuffle(middle)
    before = 0 if dice.random() < 0.6 else dice.randint(1, min(4, len(middle)))
    body = [*middle[:before], event, *middle[before:]]
    post = dice.choice(_STARTS[locale]) + join([*body, wish], locale, dice)
    second = "vent" if intention in ("advice", "decision") else "understanding"
    intentions = (intention, second) if second != intention and dice.random() < 0.5 else (intention,)
    quote = dice.choice(details) if dice.random() < 0.7 else ""
    return post, Reading(locale, aspect, felt, intentions, event, quote, belief)


def _filling(length: int, beside: Sequence[str], locale: Locale, dice: random.Random) -> Iterator[str]:
    """Lines about other things, from the bank and `beside`, until a long post's length is reached."""
    aim = dice.randint(*_LENGTHS[locale])
    own = list(life(locale))
    dice.shuffle(own)
    while length < aim and (own or beside):
        text = dice.choice(beside) if beside and (not own or dice.random() < 0.8) else line((own.pop(),), locale, dice)
        length += len(text)
        yield text


def feelings(aspect: Aspect, locale: Locale, dice: random.Random) -> tuple[tuple[tuple[str, str], ...], list[str]]:
    """What is felt, as label keys, and how the post says it."""
    felt, said = [], []
    for key in dice.sample(aspect.feel, min(len(aspect.feel), dice.choice((1, 2, 2, 3)))):
        lines = speech("emotions", locale)[key].lines["say"]
        strong = dice.random() < 0.5
        half = len(lines) // 2
        felt.append((key, "strong" if strong else "moderate"))
        said.append(line(lines[:half] if strong else lines[half:], locale, dice))
    return tuple(sorted(felt, key=lambda pair: pair[1] != "strong")), said


def _several(lines: tuple[str, ...], count: int, locale: Locale, dice: random.Random) -> list[str]:
    return [line((text,), locale, dice) for text in dice.sample(lines, min(count, len(lines)))]


def line(lines: tuple[str, ...], locale: Locale, dice: random.Random) -> str:
    """One of `lines` as it stands in a post, without its full stop."""
    text = pick(lines, dice).rstrip("。.")
    return text if locale == "zh" else text[:1].upper() + text[1:]


def join(parts: list[str], locale: Locale, dice: random.Random) -> str:
    """The parts as one text, with the punctuation that people use."""
    parts = [part for part in parts if part]
    if locale == "zh":
        return "".join(part + dice.choice("，。。") for part in parts[:-1]) + parts[-1] + dice.choice("？。")
    return " ".join(f"{part}." for part in parts)
