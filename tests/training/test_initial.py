"""A fresh model can look back: what stood before in the text is found again, without any training."""

import pytest

from empathy_r1.training.config import SftConfig, Shape


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "shape", [Shape(), Shape(hidden=64, intermediate=128, layers=2, heads=4, kv_heads=2, head_dim=32)]
)
def test_a_fresh_model_copies_what_followed_before(shape: Shape, tmp_path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from empathy_r1.training.data.grammar import samples
    from empathy_r1.training.models import fresh
    from empathy_r1.training.tokenizer import texts_of, train_tokenizer

    tokenizer = train_tokenizer(texts_of(samples("zh", 60, 1)), 1500)
    config = SftConfig(data=tmp_path / "d", tokenizer=tmp_path / "t", output=tmp_path / "o", model=shape)
    torch.manual_seed(1)
    model = fresh(config, tokenizer).eval()
    once = torch.randperm(len(tokenizer), generator=torch.Generator().manual_seed(2))[:40]
    twice = torch.cat([once, once])[None]
    with torch.no_grad():
        logits = model(twice).logits[0]
    ranks = (logits[40:79] > logits[40:79].gather(1, twice[0, 41:, None])).sum(1)
    assert ranks.float().median() < len(tokenizer) / 100
