"""The gate that tells whether a post is inside what the model has seen."""

import base64
import json
import shutil
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_r1.graph.models import _gate
from empathy_r1.graph.models.embedded import EmbeddedChat

TINY = Path(__file__).parent / "tiny"
BUCKETS = 64


def write(folder, **changes):
    inside = _gate.features("面试 失败 难过", BUCKETS)
    weights = [1.0 if at in inside else -1.0 for at in range(BUCKETS)]
    data = struct.pack(f"<{BUCKETS}e", *weights)
    gate = {"buckets": BUCKETS, "ngrams": [1, 2, 3], "weights": base64.b64encode(data).decode()}
    (folder / "gate.json").write_text(json.dumps(gate | {"bias": 0.0, "threshold": 0.5} | changes))


def test_knows_what_it_has_seen(tmp_path):
    write(tmp_path)
    gate = _gate.read(tmp_path)
    assert gate is not None
    assert gate.knows("面试 失败 难过")
    assert gate.score("面试 失败 难过") == 1.0
    assert not gate.knows("quantum chromodynamics lecture notes")


def test_int8_weights_and_scale(tmp_path):
    data = bytes(w % 256 for w in [100, -100] * (BUCKETS // 2))
    write(tmp_path, dtype="int8", scale=0.01, weights=base64.b64encode(data).decode())
    gate = _gate.read(tmp_path)
    assert gate is not None
    assert gate.weights[:2] == (1.0, -1.0)


def test_a_model_asks_its_gate(tmp_path):
    assert EmbeddedChat(TINY).knows("anything")
    shutil.copytree(TINY, tmp_path, dirs_exist_ok=True)
    write(tmp_path)
    model = EmbeddedChat(tmp_path)
    assert model.knows("面试 失败 难过")
    assert not model.knows("quantum chromodynamics lecture notes")


@pytest.mark.parametrize("change", [{"weights": "!"}, {"bias": None}, {"buckets": 63}, {"weights": ""}])
def test_a_broken_gate_says_so(tmp_path, change):
    write(tmp_path, **change)
    with pytest.raises(ValueError, match=r"gate\.json"):
        _gate.read(tmp_path)


@given(st.text())
def test_any_text_has_a_score(text):
    gate = _gate.Gate(8, (1, 2, 3), tuple(range(8)), -1.0, 0.0)
    assert -1.0 <= gate.score(text) <= 6.0


def test_case_width_and_blanks_do_not_matter():
    assert _gate.features("ＡB  c\n", 99) == _gate.features("ab c", 99)
