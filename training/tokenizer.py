"""A byte-level BPE tokenizer for the embedded model, with ChatML and the chain's tags in plain text.

Pieces never cross a tag, a line end or a punctuation mark. So a prompt that ends inside an opened section
(`wire.opened`) has the same tokens as the beginning of the finished chain, and a phrase that a reply quotes has the
same tokens as in the post. Each locale's system message is one token: it is constant, and costs nothing so.

    python -m empathy_r1.training.tokenizer --data build/demo/posts.jsonl --out build/demo/tokenizer
"""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from empathy_r1.graph import wire
from empathy_r1.graph.prompts import SYSTEM
from empathy_r1.training.data.sample import Sample, read

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

START, END, PAD = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
CONTEXT = 4096
"""Most tokens of a prompt and its answer."""

PIECES = (
    rf"</?(?:{'|'.join(wire.SECTIONS)})>"
    r"|\n"
    r"|\p{N}"
    r"| ?[A-Za-z]+(?:['’][A-Za-z]+)?"
    r"|\p{Han}+"
    r"| ?\p{L}+"
    r"|[^\s\p{L}\p{N}]"
    r"|[^\S\n]+"
)
"""One piece each: a tag, a line end, a digit, a word, a run of Han characters, one mark of punctuation, blanks."""

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    "<|im_start|>assistant\n{% generation %}{{ message['content'] }}"
    "{% if not (loop.last and continue_final_message is defined and continue_final_message) %}<|im_end|>{% endif %}"
    "{% endgeneration %}"
    "{% if not (loop.last and continue_final_message is defined and continue_final_message) %}\n{% endif %}"
    "{% else %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""ChatML. The end token lies inside the trained part, so that the model learns to stop."""


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> "PreTrainedTokenizerFast":
    """A tokenizer of at most `vocabulary` tokens, learned from `texts`.

    Tokens of more than 12 bytes (four Han characters) are not learned: whole clauses of the sentence bank would
    otherwise become tokens that no person's post ever holds.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(SYSTEM),
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=12,
        min_frequency=3,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in SYSTEM.values()])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=None,
        eos_token=END,
        pad_token=PAD,
        model_max_length=CONTEXT,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def texts_of(samples: Iterable[Sample]) -> Iterator[str]:
    """Everything that a tokenizer should learn from: posts, replies and chains."""
    for sample in samples:
        for turn in sample["history"]:
            yield turn["content"]
        yield sample["post"]
        yield wire.render(sample["chain"])


def main(argv: list[str] | None = None) -> None:
    """Command line: learns a tokenizer from samples and saves it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="samples, JSONL")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--vocabulary", type=int, default=8000)
    args = parser.parse_args(argv)
    tokenizer = train_tokenizer(texts_of(read(args.data)), args.vocabulary)
    tokenizer.save_pretrained(args.out)
    print(f"{len(tokenizer)} tokens -> {args.out}")  # noqa: T201


if __name__ == "__main__":
    main()
