#!/usr/bin/env bash
# On the GPU machine: whether convolutions from or to images' three channels are faster as products.
set -euo pipefail
source benchmarks/gpu/setup.sh
limit=${1:-150}
beside "$limit" 1 --only dcgan --modes "compiled bfloat16" --kernels 40 &
beside "$limit" 2 --only dcgan --modes "compiled bfloat16" --kernels 40 --narrow &
beside "$limit" 3 --only dcgan --modes "compiled bfloat16" --together 1,8 &
beside "$limit" 4 --only dcgan --modes "compiled bfloat16" --together 1,8 --narrow &
wait
for number in 1 2 3 4; do
  echo "## $number: $([ $((number % 2)) = 1 ] && echo as they are || echo as products)"
  cat "/tmp/beside-$number.md"
done | tee "$OUT/narrow.md"
