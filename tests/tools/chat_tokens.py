"""Prints the tokens that training makes of finished conversations: `{ids, trained}` for each, as JSON.

For an environment with transformers; conversations come as JSON on the standard input.

    python tests/tools/chat_tokens.py tests/serving/model < conversations.json
"""

import json
import sys

from transformers import AutoTokenizer


def main() -> None:
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
    found = []
    for messages in json.load(sys.stdin):
        tokens = tokenizer.apply_chat_template(
            messages, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
        )
        found.append({"ids": tokens["input_ids"], "trained": tokens["assistant_masks"]})
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
