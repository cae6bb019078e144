#!/usr/bin/env bash
# On the GPU machine: whether cuDNN's own choice among its kernels, or kernels that do several things, are faster.
set -euo pipefail
source benchmarks/gpu/setup.sh
for try in --tune --combine; do
  echo "## $try"
  for case in dcgan "resnet + hinge"; do
    speed 75 measure.py --only "$case" --rounds 2 --seconds 0.4 --modes "compiled bfloat16" "$try"
  done
done
