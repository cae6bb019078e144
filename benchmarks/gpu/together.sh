#!/usr/bin/env bash
# On the GPU machine: how fast resnet trains, one and eight at once. Both compile at once, and each measures alone.
set -euo pipefail
source benchmarks/gpu/setup.sh
limit=${1:-150}
beside "$limit" 1 --only "resnet + hinge" --modes "graph bfloat16" --together 1,8 &
beside "$limit" 2 --only "resnet + hinge" --modes "compiled bfloat16" --together 1,8 &
wait
cat /tmp/beside-[12].md
