#!/usr/bin/env bash
# On the GPU machine: whether a precision changes what is learnt of MNIST, five seeds each.
set -euo pipefail
source benchmarks/gpu/setup.sh
for precision in bf16 tf32 fp32; do # float32 is the slowest, and runs side by side end together
  limit=$([ "$precision" = fp32 ] && echo 220 || echo 140)
  JOBS=10 grid "$limit" "$precision" benchmarks/precision/suite.toml --dataset mnist --data-root "$DATA" --steps 1500 \
    --precision "$precision"
done
python3 -P benchmarks/precision/compare.py /tmp/fp32 /tmp/tf32 /tmp/bf16 | tee "$OUT/precision-mnist.md"
