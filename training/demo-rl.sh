#!/usr/bin/env bash
# Reinforcement learning on the model of demo.sh, in order: pairs, two reward models, the paper's embedding, GRPO with either
# reward, and all three models side by side on held-out posts. Each step that is done is passed over: after a kill, start it again.
set -euo pipefail
cd "$(dirname "$0")/.."
# On Linux, keeps the freed memory of a step for the next one; the allocator would else hand it back each time.
export MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000 MALLOC_TOP_PAD_=268435456
D=build/demo
C=training/configs
once() { [ -e "$1" ] || "${@:2}"; }
stage() { once "$D/$2/metrics.json" empathy-r1 train "$1" --config "${3:-$C/demo-$2.yaml}" --resume; }

for k in 0 1; do
  once $D/pairs-$k.jsonl empathy-r1 data pairs --samples $D/posts.jsonl --corpus train --fold $k/2 --most 1500 --out $D/pairs-$k.jsonl
done
once $D/pairs-held-out.jsonl empathy-r1 data pairs --samples $D/held_out.jsonl --corpus validation --held-out --most 60 \
  --out $D/pairs-held-out.jsonl
stage reward reward
stage reward reward-held-out
stage embedding embedding
# The cosine that separates held-out pairs best is the threshold of the paper's reward.
threshold=$(python -c "import json; print(json.load(open('$D/embedding/metrics.json'))['metrics']['threshold'])")
sed "s/^threshold:.*/threshold: $threshold/" $C/demo-grpo-paper.yaml > $D/grpo-paper.yaml
stage grpo grpo
stage grpo grpo-paper $D/grpo-paper.yaml
empathy-r1 train report $D/grpo-paper $D/grpo --out $D/report
empathy-r1 evaluate pair --posts $D/held_out.jsonl --judge $D/reward-held-out/model --keep $D/compared \
  --first $D/sft/model --second $D/grpo-paper/model --second $D/grpo/model | tee $D/report/COMPARISON.md
for model in sft grpo-paper grpo; do
  once $D/$model/embedded/model.onnx empathy-r1 model export $D/$model/model $D/$model/embedded --embedded
  empathy-r1 evaluate chain --posts $D/held_out.jsonl --model $D/$model/embedded --json
done
