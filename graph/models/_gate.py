"""Whether a post is like what a model was trained on: a linear model over hashed character n-grams.

`gate.json` in the model's folder::

    {"buckets": 4096, "ngrams": [1, 2, 3], "dtype": "float16", "scale": 1.0, "weights": "<base64>",
     "bias": 0.1, "threshold": 0.0}

`weights` is `buckets` numbers, little-endian, `dtype` float16 or int8, each times `scale`. A post's score is
`bias` plus the mean weight of its n-grams; a post is known from `threshold` on. Training computes its features
with `features`, so that the two never differ.
"""

import array
import base64
import json
import struct
import unicodedata
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FILE = "gate.json"


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate as it stands in `gate.json`."""

    buckets: int
    ngrams: tuple[int, ...]
    weights: tuple[float, ...]
    bias: float
    threshold: float

    def score(self, text: str) -> float:
        """How much `text` is like what the model has seen; no unit."""
        found = features(text, self.buckets, self.ngrams)
        count = sum(found.values())
        return self.bias + (sum(self.weights[at] * n for at, n in found.items()) / count if count else 0.0)

    def knows(self, text: str) -> bool:
        """Whether `text` is inside what the model has seen."""
        return self.score(text) >= self.threshold


def features(text: str, buckets: int, ngrams: Sequence[int] = (1, 2, 3)) -> Counter[int]:
    """How often each bucket is hit by an n-gram of `text`, after NFKC, lower case and folded blanks.

    A bucket is `crc32(n-gram in UTF-8) % buckets`. Lone surrogates count as U+FFFD.
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    text = " ".join(unicodedata.normalize("NFKC", text).lower().split())
    return Counter(
        zlib.crc32(text[at : at + size].encode()) % buckets for size in ngrams for at in range(len(text) - size + 1)
    )


def read(folder: Path) -> Gate | None:
    """The gate in `folder`, or None where it has none.

    Raises:
        ValueError: the file is not a gate.
    """
    file = folder / FILE
    if not file.is_file():
        return None
    try:
        raw = json.loads(file.read_text("utf-8"))
        data, scale = base64.b64decode(raw["weights"], validate=True), float(raw.get("scale", 1.0))
        numbers = _float16(data) if raw.get("dtype", "float16") == "float16" else list(array.array("b", data))
        gate = Gate(
            buckets=int(raw["buckets"]),
            ngrams=tuple(raw["ngrams"]),
            weights=tuple(number * scale for number in numbers),
            bias=float(raw["bias"]),
            threshold=float(raw["threshold"]),
        )
    except (KeyError, TypeError, ValueError, struct.error) as error:
        raise ValueError(f"{file} is not a gate ({error!r}). Expected the fields that {__name__} names.") from error
    if len(gate.weights) != gate.buckets:
        raise ValueError(f"{file} has {len(gate.weights)} weights; expected one for each of {gate.buckets} buckets.")
    return gate


def _float16(data: bytes) -> list[float]:
    return list(struct.unpack(f"<{len(data) // 2}e", data))
