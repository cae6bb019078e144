#!/usr/bin/env bash
# On the GPU machine: how fast dcgan and resnet train eight at once in batches of 512, and resnet one and eight at once.
# All compile at once, and each measures alone.
set -euo pipefail
source benchmarks/gpu/setup.sh
limit=${1:-150}
beside "$limit" 1 --only "resnet + hinge" --modes "graph bfloat16" --together 1,8 &
beside "$limit" 2 --only "resnet + hinge" --modes "compiled bfloat16" --together 1,8 &
beside "$limit" 3 --only dcgan --batch 512 --modes "compiled bfloat16" --together 1,8 &
beside "$limit" 4 --only "resnet + hinge" --batch 512 --modes "graph bfloat16,compiled bfloat16" &
wait
cat /tmp/beside-?.md
