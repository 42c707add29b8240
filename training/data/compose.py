"""The gold chain and reply of a post, from what is known about it: topic, emotions, intention, quotes of the post."""

import random
from dataclasses import dataclass

from empathy_r1.graph.labels import EMOTIONS, INTENSITIES, INTENTIONS, Locale, find
from empathy_r1.graph.wire import SEPARATOR, Section
from empathy_r1.training.data.sentences import Aspect, pick, speech


@dataclass(frozen=True, slots=True)
class Reading:
    """What a post says, as its writer or the annotator knows it."""

    locale: Locale
    aspect: Aspect | None
    emotions: tuple[tuple[str, str], ...]
    """(emotion key, intensity key), strongest first."""
    intentions: tuple[str, ...]
    """Primary first."""
    event: str
    """What happened: an exact clause of the post."""
    quote: str
    """Another exact clause of the post, for the reply to come back to; may be empty."""
    belief: str
    """What the person makes of it: an exact clause of the post; may be empty."""


def compose(reading: Reading, dice: random.Random) -> dict[Section, str]:
    """The five sections for a post that reads so."""
    zh = reading.locale == "zh"
    feelings, wishes = speech("emotions", reading.locale), speech("intentions", reading.locale)
    main = reading.emotions[0][0]
    named = [f"{_text(EMOTIONS, e, zh)}/{_text(INTENSITIES, s, zh)}" for e, s in reading.emotions]
    wishes_named = [_text(INTENTIONS, key, zh) for key in reading.intentions]
    gist = pick(reading.aspect.lines["gist"], dice) if reading.aspect else ""
    wish = wishes[reading.intentions[0]]
    stop = "。" if zh else "."
    cause = (
        (f"{reading.event}；{gist}" if zh else f"{_sentence(reading.event)} {_sentence(gist)}")
        if gist
        else reading.event
    )
    return {
        "emotion": f"{' '.join(named)}{SEPARATOR}{reading.event}",
        "cause": cause.rstrip("。."),
        "intention": f"{' '.join(wishes_named)}{SEPARATOR}{pick(wish.lines['gist'], dice)}",
        "strategy": pick(wish.lines["plan"], dice).rstrip(stop),
        "response": _reply(reading, pick(feelings[main].lines["see"], dice), dice),
    }


def _reply(reading: Reading, seen: str, dice: random.Random) -> str:
    zh = reading.locale == "zh"
    lines = reading.aspect.lines if reading.aspect else {}
    opening = _say(_OPEN[reading.locale], dice, reading.event)
    first = [opening, pick(lines["see"], dice) if lines else "", seen]
    second = []
    if reading.quote:
        second.append(_say(_BACK[reading.locale], dice, reading.quote))
    if reading.belief:
        second.append(_say(_BELIEF[reading.locale], dice, reading.belief))
    if lines and (reading.belief or dice.random() < 0.5):
        second.append(pick(lines["turn"], dice))
    elif not lines:
        second.append(dice.choice(_HOLD[reading.locale]))
    wants_a_step = reading.intentions[0] in ("advice", "decision", "information")
    if wants_a_step:
        third = pick(lines["step"], dice) if lines else dice.choice(_STEP[reading.locale])
    else:
        third = pick(lines["ask"], dice) if lines else dice.choice(_ASK[reading.locale])
    join = "" if zh else " "
    return "\n\n".join(join.join(filter(None, part)) for part in (first, second, [third]) if any(part))


def _say(forms: tuple[str, ...], dice: random.Random, words: str) -> str:
    return dice.choice(forms).format(words.rstrip("。.，,；;！!？?"))


def quoting() -> list[str]:
    """What stands before the opening mark wherever a reply says the person's words back."""
    forms = (form for table in (_OPEN, _BACK, _BELIEF) for lines in table.values() for form in lines)
    return sorted({form.partition("“")[0] for form in forms})


def _text(table: tuple[object, ...], key: str, zh: bool) -> str:
    label = find(table, key)  # type: ignore[arg-type]
    if label is None:
        raise ValueError(f"{key!r} is no label. Expected one of empathy_r1.graph.labels.")
    return label.zh if zh else label.key


def _sentence(text: str) -> str:
    text = text.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}." if text else ""


_OPEN: dict[Locale, tuple[str, ...]] = {
    "zh": (
        "你说“{}”，我读到这里停了一下。",
        "读到“{}”，能感觉到这件事在你心里有多重。",
        "“{}”，这句话后面，应该还有很多没写出来的辛苦。",
    ),
    "en": (
        "You wrote “{}”, and I stopped there for a moment.",
        "When I read “{}”, I could feel how much this weighs on you.",
        "“{}”: behind that sentence there must be a lot that you did not write down.",
    ),
}
_BACK: dict[Locale, tuple[str, ...]] = {
    "zh": ("你还写到“{}”，这样的细节，只有真正在里面的人才知道。", "尤其是“{}”，光是这一件，就够人难受很久了。"),
    "en": (
        "You also wrote “{}”; only someone right inside it knows such a detail.",
        "And “{}”: that alone would be a lot for anyone.",
    ),
}
_BELIEF: dict[Locale, tuple[str, ...]] = {
    "zh": ("“{}”，这个念头出现的时候，一定很疼。", "你心里那句“{}”，听起来已经对自己说了很多遍。"),
    "en": ("The thought “{}” must hurt when it comes.", "It sounds as if you have told yourself “{}” many times."),
}
_HOLD: dict[Locale, tuple[str, ...]] = {
    "zh": ("这些放在谁身上都不会轻，你不用急着把它变小。", "会这样难受，不是因为你不够坚强，是因为这件事对你很重要。"),
    "en": (
        "None of this would be light for anyone, and you do not have to make it smaller in a hurry.",
        "Hurting like this does not mean you are weak; it means that this matters to you.",
    ),
}
_STEP: dict[Locale, tuple[str, ...]] = {
    "zh": (
        "今天如果只做一件小事，可以先把最压着你的那一件写成一句话，别的先放一放。",
        "可以先挑一个你信得过的人，只说其中一小段，看看说出来以后心里有没有松一点。",
    ),
    "en": (
        "If you do one small thing today, you could write the heaviest part down in a sentence and let the rest wait.",
        "You could pick one person you trust and tell them just a small part, and see whether anything loosens.",
    ),
}
_ASK: dict[Locale, tuple[str, ...]] = {
    "zh": ("这里面，最让你放不下的是哪一处？想说的话，我在听。", "如果愿意，可以从最难受的那一刻说起，慢慢来。"),
    "en": (
        "Which part of it is the hardest to let go of? I am listening if you want to say more.",
        "If you like, start from the moment that hurt most, and take your time.",
    ),
}
