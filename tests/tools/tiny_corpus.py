"""Posts and chains of empathy for the tiny test model: scenes, shuffled into conversations."""

import random

from tiny_scenes import SCENES, Scene

from empathy_r1.graph.labels import EMOTIONS, INTENSITIES, INTENTIONS, Locale, find
from empathy_r1.graph.wire import SEPARATOR, Section


def conversation(rng: random.Random, sentences: int) -> tuple[Locale, list[str], dict[Section, str]]:
    """A locale, the turns before the answer (posts and replies, ending in a post) and the chain of the answer."""
    scene = rng.choice(SCENES)
    turns = []
    if rng.random() < 0.2:
        earlier = rng.choice([s for s in SCENES if s.locale == scene.locale])
        turns = [_post(rng, earlier, rng.randint(1, 6)), _text(scene.locale, rng.sample(earlier.reply, 2))]
    return scene.locale, [*turns, _post(rng, scene, sentences)], _chain(rng, scene)


def texts(rng: random.Random, count: int) -> list[str]:
    """What the tokenizer learns from: posts and section texts."""
    found = []
    for _ in range(count):
        _, turns, chain = conversation(rng, 6)
        found += [*turns, *chain.values()]
    return found


def _post(rng: random.Random, scene: Scene, sentences: int) -> str:
    others = [line for s in SCENES if s.locale == scene.locale for line in s.post]
    chosen = [rng.choice(scene.post if rng.random() < 0.7 else others) for _ in range(sentences)]
    return "".join(
        (_noise(rng, scene.locale) if rng.random() < 0.25 else line) + _space(rng, scene.locale) for line in chosen
    ).strip()


def _noise(rng: random.Random, locale: Locale) -> str:
    """Words that the tokenizer has never seen, as real posts are full of them."""
    size = rng.randint(3, 12)
    if locale == "zh":
        return "".join(chr(rng.randint(0x4E00, 0x9FA5)) for _ in range(size)) + "。"
    words = ("".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(size))
    return " ".join(words).capitalize() + "."


def _space(rng: random.Random, locale: Locale) -> str:
    return "\n\n" if rng.random() < 0.1 else "" if locale == "zh" else " "


def _text(locale: Locale, sentences: list[str]) -> str:
    return ("" if locale == "zh" else " ").join(sentences)


def _chain(rng: random.Random, scene: Scene) -> dict[Section, str]:
    feels = [
        f"{_word(EMOTIONS, key, scene.locale)}/{rng.choice(INTENSITIES[1:]).text(scene.locale)}"
        for key in scene.feels.split()[: rng.randint(2, 3)]
    ]
    wants = [_word(INTENTIONS, key, scene.locale) for key in scene.wants.split()]
    reply = [line for line in scene.reply if rng.random() < 0.85] or list(scene.reply)
    return {
        "emotion": f"{' '.join(feels)}{SEPARATOR}{scene.felt}",
        "cause": rng.choice(scene.causes),
        "intention": f"{' '.join(wants)}{SEPARATOR}{scene.wanted}",
        "strategy": rng.choice(scene.strategy),
        "response": _text(scene.locale, reply),
    }


def _word(table: tuple, key: str, locale: Locale) -> str:
    label = find(table, key)
    assert label is not None, key
    return label.text(locale)
