#!/usr/bin/env bash
# On the GPU machine: how fast dcgan and resnet train, and which kernels take their time.
set -euo pipefail
source benchmarks/gpu/setup.sh
speed 120 measure.py --only dcgan --rounds 2 --seconds 0.4 --modes eager,graph,compiled --kernels 20
speed 170 measure.py --only "resnet + hinge" --rounds 2 --seconds 0.4 --modes eager,graph,compiled --kernels 30
speed 100 measure.py --only dcgan --rounds 2 --seconds 0.4 --modes compiled --together 1,8
speed 80 measure.py --only dcgan --batch 512 --rounds 2 --seconds 0.4 --modes "graph,compiled bfloat16"
