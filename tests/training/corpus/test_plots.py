"""The picture of the corpus."""

from pathlib import Path

import pytest

from empathy_r1.training.corpus import load
from empathy_r1.training.corpus.plots import draw


def test_the_plots_are_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw(load("en"), tmp_path / "new" / "corpus.png")
    assert (tmp_path / "new" / "corpus.png").read_bytes().startswith(b"\x89PNG")
