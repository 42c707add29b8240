"""Finds thousands of words in the parts of a text at once."""

from collections.abc import Iterator, Sequence
from itertools import chain, repeat

from ahocorasick_rs import AhoCorasick


def found(words: AhoCorasick, parts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Each place of each word in each part, places that overlap included: the number of the part and that of the word.

    Time is linear in the text and in what is found. No word may hold a line's end.
    """
    part = list(chain.from_iterable(repeat(at, len(text) + 1) for at, text in enumerate(parts)))
    for word, start, _ in words.find_matches_as_indexes("\n".join(parts), overlapping=True):
        yield part[start], word
