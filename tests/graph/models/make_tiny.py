"""Makes the model of the embedded runtime's tests: a Qwen3 of 80,000 weights that knows three conversations by heart.

About half a minute on two cores.

    pip install torch transformers onnxruntime-genai onnx
    python tests/graph/models/make_tiny.py tests/graph/models/tiny
"""

import sys
import tempfile
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase, Qwen3Config, Qwen3ForCausalLM

from empathy_r1.training.export_embedded import export

sys.path.insert(0, str(Path(__file__).parents[2]))
from support.tiny_tokenizer import make_tokenizer

CONVERSATIONS = (
    (
        "最近总是睡不着，觉得自己一样都做不成。",
        "<emotion>\n焦虑/强｜怕自己不行</emotion>\n<response>\n睡不着的夜很长。😔 你已经撑了很久。</response>",
    ),
    (
        "I failed again and I am tired.",
        "<emotion>\nsadness/strong｜Tired of failing</emotion>\n"
        "<response>\nThat is a lot to carry. 🌧 I hear you.</response>",
    ),
    ("说点别的。", "好。"),
)


def make_model(tokenizer: PreTrainedTokenizerBase, steps: int = 400) -> Qwen3ForCausalLM:
    """A model that has read the conversations `steps` times."""
    torch.manual_seed(7)
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=32,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    texts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": post}, {"role": "assistant", "content": reply}], return_dict=True
        )["input_ids"]
        for post, reply in CONVERSATIONS
    ]
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    for _ in range(steps):
        loss = sum(model(torch.tensor([ids]), labels=torch.tensor([ids])).loss for ids in texts)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def main(out: Path) -> None:
    torch.set_num_threads(2)
    tokenizer = make_tokenizer((text for pair in CONVERSATIONS for text in pair), 320)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        make_model(tokenizer).save_pretrained(folder)
        export(Path(folder), out, precision="fp32")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
