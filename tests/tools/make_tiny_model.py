# ruff: noqa: T201
"""Makes the model of the vLLM tests: a Qwen3 of half a million weights that speaks the wire format.

It knows a handful of scenes in Chinese and English and answers any post with a well-formed chain; what it says
is of no use to anyone. About a quarter of an hour on two cores.

    pip install torch transformers
    python tests/tools/make_tiny_model.py tests/serving/model
"""

import math
import random
import sys
import time
from pathlib import Path

import torch
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from transformers import PreTrainedTokenizerBase, Qwen3Config, Qwen3ForCausalLM

from empathy_r1.graph import wire
from empathy_r1.graph.prompts import SYSTEM, continue_prompt

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1])]
from tiny_corpus import conversation, texts

from support.tiny_tokenizer import make_tokenizer

VOCABULARY = 1600
STEPS = 1200
BATCH_TOKENS = 4000
LONGEST = 1536
"""Most tokens of a training conversation. Test posts stay within."""


def tokenizer_texts(rng: random.Random) -> list[str]:
    """What the tokenizer learns its words from."""
    every_tag = wire.render(dict.fromkeys(wire.SECTIONS, "。"))
    lines = sorted({line for text in texts(rng, 400) for line in text.split("\n")})
    return [*lines, *SYSTEM.values(), *[every_tag] * 20]


def example(tokenizer: PreTrainedTokenizerBase, rng: random.Random, sentences: int) -> tuple[list[int], list[int]]:
    """Token ids of one finished conversation, and for each whether it is learnt."""
    locale, turns, chain = conversation(rng, sentences)
    spoken: list[BaseMessage] = [
        HumanMessage(text) if (len(turns) - at) % 2 else AIMessage(text) for at, text in enumerate(turns)
    ]
    prompt = continue_prompt(spoken, {}, "emotion", locale)
    messages = [{"role": ROLES[m.type], "content": m.text} for m in prompt[:-1]]
    whole = tokenizer.apply_chat_template(
        [*messages, {"role": "assistant", "content": wire.render(chain)}], tokenize=True, return_dict=True
    )["input_ids"]
    head = len(tokenizer("<|im_start|>assistant\n")["input_ids"])
    answer = (
        max(at for at, token in enumerate(whole) if token == tokenizer.convert_tokens_to_ids("<|im_start|>")) + head
    )
    return whole, [int(at >= answer) for at in range(len(whole))]


def train(tokenizer: PreTrainedTokenizerBase, rng: random.Random) -> Qwen3ForCausalLM:
    """A model that has seen about ten thousand conversations."""
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=96,
            intermediate_size=256,
            num_hidden_layers=3,
            num_attention_heads=3,
            num_key_value_heads=1,
            head_dim=32,  # the least that vLLM's CPU attention takes
            max_position_embeddings=8192,
            tie_word_embeddings=True,
            eos_token_id=end,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    print(f"{sum(p.numel() for p in model.parameters()):,} weights")
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, betas=(0.9, 0.98), weight_decay=0.01)
    warm, started = 50, time.perf_counter()
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * min(1, (step + 1) / warm) * (0.5 + 0.5 * math.cos(math.pi * step / STEPS))
        ids, learnt = batch(tokenizer, rng)
        hidden = model.model(ids).last_hidden_state[:, :-1][learnt[:, 1:]]
        loss = torch.nn.functional.cross_entropy(model.lm_head(hidden), ids[:, 1:][learnt[:, 1:]])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 0 or step == STEPS - 1:
            print(f"step {step} loss {loss.item():.3f} at {time.perf_counter() - started:.0f} s", flush=True)
    return model


def batch(tokenizer: PreTrainedTokenizerBase, rng: random.Random) -> tuple[torch.Tensor, torch.Tensor]:
    """Conversations of about one length, padded: ids and learnt, each [conversations, tokens]."""
    sentences = round(math.exp(rng.uniform(math.log(2), math.log(40))))
    rows: list[tuple[list[int], list[int]]] = []
    while not rows or (len(rows) + 1) * max(len(ids) for ids, _ in rows) <= BATCH_TOKENS:
        row = example(tokenizer, rng, sentences)
        if len(row[0]) <= LONGEST:
            rows.append(row)
        else:
            sentences = max(2, sentences - 4)
    width = max(len(ids) for ids, _ in rows)
    pad = tokenizer.pad_token_id
    return (
        torch.tensor([ids + [pad] * (width - len(ids)) for ids, _ in rows]),
        torch.tensor([learnt + [0] * (width - len(learnt)) for _, learnt in rows], dtype=torch.bool),
    )


def main() -> None:
    folder = Path(sys.argv[1])
    torch.manual_seed(1)
    torch.set_num_threads(2)
    rng = random.Random(1)
    tokenizer = make_tokenizer(tokenizer_texts(rng), VOCABULARY)
    model = train(tokenizer, rng)
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    print("\n".join(f"{file.name} {file.stat().st_size:,}" for file in sorted(folder.iterdir())))


ROLES = {"system": "system", "human": "user", "ai": "assistant"}


if __name__ == "__main__":
    main()
