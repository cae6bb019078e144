#!/usr/bin/env bash
# On the GPU machine: how fast dcgan and resnet train.
set -euo pipefail
source benchmarks/gpu/setup.sh
speed 150 measure.py --only dcgan --batch 64,512 --rounds 2 --seconds 0.4 --modes eager,graph,compiled
speed 150 measure.py --only dcgan --rounds 2 --seconds 0.4 --modes compiled --together 1,8
speed 150 measure.py --only "resnet + hinge" --rounds 2 --seconds 0.4 --modes eager,graph,compiled
