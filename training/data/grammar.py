"""Posts that are made of the sentence bank: situation, details, feelings, thoughts and a wish, in many orders."""

import random
from collections.abc import Iterator

from empathy_r1.graph.labels import Locale
from empathy_r1.training.data.compose import Reading, compose
from empathy_r1.training.data.sample import Sample
from empathy_r1.training.data.sentences import Aspect, aspects, pick, speech

_INTENTIONS = ("vent", "understanding", "comfort", "reassurance", "clarity", "decision", "advice", "advice", "vent")
_STARTS: dict[Locale, tuple[str, ...]] = {
    "zh": ("", "", "", "大家好，", "不知道从哪说起。", "第一次在这里写。", "睡不着，上来说几句。", "最近"),
    "en": ("", "", "", "Hi. ", "I don't know where to start. ", "First time writing here. ", "Long post, sorry. "),
}


def samples(locale: Locale, count: int, seed: int) -> Iterator[Sample]:
    """`count` posts with gold chains, the same for the same seed."""
    dice = random.Random(f"{seed}:{locale}")
    for number in range(count):
        aspect = dice.choice(aspects(locale))
        post, reading = _post(aspect, locale, dice)
        yield Sample(
            id=f"grammar-{locale}-{seed}-{number}",
            locale=locale,
            source="grammar",
            topic=aspect.name,
            history=[],
            post=post,
            chain=compose(reading, dice),
        )


def _post(aspect: Aspect, locale: Locale, dice: random.Random) -> tuple[str, Reading]:
    words = speech("emotions", locale)
    keys = dice.sample(aspect.feel, min(len(aspect.feel), dice.choice((1, 2, 2, 3))))
    felt, said = [], []
    for key in keys:
        lines = words[key].lines["say"]
        strong = dice.random() < 0.5
        half = len(lines) // 2
        felt.append((key, "strong" if strong else "moderate"))
        said.append(pick(lines[:half] if strong else lines[half:], dice))
    felt.sort(key=lambda pair: pair[1] != "strong")
    intention = dice.choice(_INTENTIONS)
    event = pick(aspect.lines["event"], dice)
    details = list(dict.fromkeys(pick(aspect.lines["detail"], dice) for _ in range(dice.randint(1, 4))))
    belief = pick(aspect.lines["belief"], dice) if dice.random() < 0.6 else ""
    wish = pick(speech("intentions", locale)[intention].lines["say"], dice)
    middle = [*details, *said, belief]
    dice.shuffle(middle)
    body = [event, *middle] if dice.random() < 0.75 else [middle[0], event, *middle[1:]]
    post = dice.choice(_STARTS[locale]) + _join([*body, wish], locale, dice)
    second = "vent" if intention in ("advice", "decision") else "understanding"
    intentions = (intention, second) if second != intention and dice.random() < 0.5 else (intention,)
    quote = dice.choice(details).rstrip(".") if dice.random() < 0.7 else ""
    return post, Reading(locale, aspect, tuple(felt), intentions, event, quote, belief)


def _join(parts: list[str], locale: Locale, dice: random.Random) -> str:
    parts = [part.rstrip("。.") for part in parts if part]
    if locale == "zh":
        return "".join(part + dice.choice("，。。") for part in parts[:-1]) + parts[-1] + dice.choice("？。")
    return " ".join(f"{part[:1].upper()}{part[1:]}." for part in parts)
