#!/usr/bin/env bash
# On the GPU machine: how fast dcgan and resnet train.
set -euo pipefail
source benchmarks/gpu/setup.sh
speed 170 measure.py --only dcgan --batch 64,512 --rounds 2 --seconds 0.4 --together 1,8
speed 120 measure.py --only "resnet + hinge" --batch 64 --rounds 2 --seconds 0.4
