#!/usr/bin/env bash
# The story of the embedded model, in order: data, tokenizer, two stages of supervised fine-tuning, export, gate, quotes, figures.
# About two hours on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
# On Linux, keeps the freed memory of a step for the next one; the allocator would else hand it back each time.
export MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000 MALLOC_TOP_PAD_=268435456
python -m empathy_r1.training.data.build --out build/demo --grammar "${GRAMMAR:-9000}"
python -m empathy_r1.training.tokenizer --data build/demo/posts.jsonl --out build/demo/tokenizer --vocabulary 6000
empathy-r1 train sft --config training/configs/demo-start.yaml
empathy-r1 train sft --config training/configs/demo.yaml
python -m empathy_r1.training.export_embedded build/demo/sft/model build/demo/embedded --precision int8
python -m empathy_r1.training.gate --data build/demo --out build/demo/embedded/gate.json
python -m empathy_r1.training.grounding --out build/demo/embedded/grounding.json
python -m empathy_r1.training.evaluate_chain --posts build/demo/held_out.jsonl --model build/demo/embedded
EMPATHY_R1_MODEL=build/demo/embedded empathy-r1 chat "$(cat examples/post.txt)"
