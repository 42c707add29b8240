"""Many words are found in many parts at once, as if each had been looked for by itself."""

from ahocorasick_rs import AhoCorasick
from hypothesis import given
from hypothesis import strategies as st

from empathy_r1.graph.safety._words import found

TEXTS = st.text("ab死了 ", max_size=12)


@given(words=st.lists(TEXTS.filter(bool), max_size=6, unique=True), parts=st.lists(TEXTS, max_size=5))
def test_every_place_of_every_word_is_found_in_its_part(words, parts):
    expected = [
        (at, number)
        for at, part in enumerate(parts)
        for number, word in enumerate(words)
        for start in range(len(part))
        if part.startswith(word, start)
    ]
    assert sorted(found(AhoCorasick(words), parts)) == sorted(expected)
