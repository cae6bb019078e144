#!/usr/bin/env bash
# On the GPU machine: how fast dcgan and resnet train, dcgan also eight at once, and which kernels take their time. All
# compile at once, and each measures alone.
set -euo pipefail
source benchmarks/gpu/setup.sh
limit=${1:-150}
beside "$limit" 1 --only dcgan --modes eager,graph,compiled --kernels 20 &
beside "$limit" 2 --only dcgan --modes "graph bfloat16,compiled bfloat16" --together 1,8 &
beside "$limit" 3 --only dcgan --batch 512 --modes "graph bfloat16,compiled bfloat16" &
beside "$limit" 4 --only "resnet + hinge" --modes "eager,graph bfloat16,compiled bfloat16" --kernels 20 &
wait
cat /tmp/beside-?.md
