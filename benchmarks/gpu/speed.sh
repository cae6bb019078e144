#!/usr/bin/env bash
# On the GPU machine: how fast dcgan and resnet train, alone and eight at once, and which kernels take their time. All
# compile at once, and each measures alone.
set -euo pipefail
source benchmarks/gpu/setup.sh
limit=${1:-220}
beside "$limit" 1 --only dcgan --modes eager,graph,compiled --kernels 30 &
beside "$limit" 2 --only dcgan --batch 512 --modes "graph,compiled bfloat16" &
beside "$limit" 3 --only dcgan --modes "graph bfloat16,compiled bfloat16" --together 1,8 &
beside "$limit" 4 --only dcgan --batch 512 --modes "compiled bfloat16" --together 1,8 &
beside "$limit" 5 --only "resnet + hinge" --modes "eager,graph,compiled bfloat16" --kernels 30 &
beside "$limit" 6 --only "resnet + hinge" --batch 512 --modes "graph bfloat16,compiled bfloat16" &
wait
cat /tmp/beside-?.md
