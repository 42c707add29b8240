"""Where the embedded model's samples come from: a sentence bank, a grammar, and readers of public sets."""
