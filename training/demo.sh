#!/usr/bin/env bash
# The story of the embedded model, in order: data, tokenizer, supervised fine-tuning, gate, export.
set -euo pipefail
cd "$(dirname "$0")/.."
python -m empathy_r1.training.data.build --out build/demo --grammar "${GRAMMAR:-4000}"
python -m empathy_r1.training.tokenizer --data build/demo/train.jsonl --out build/demo/tokenizer --vocabulary 6000
empathy-r1 train sft --config training/configs/demo.yaml
python -m empathy_r1.training.export_embedded build/demo/sft/model build/demo/embedded --precision int8
python -m empathy_r1.training.gate --data build/demo --out build/demo/embedded/gate.json --locales zh
EMPATHY_R1_MODEL=build/demo/embedded empathy-r1 chat "$(cat examples/post.txt)"
