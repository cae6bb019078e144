#!/usr/bin/env bash
# On the GPU machine: MNIST in 1,500 steps, by the papers' recipes and by faster ones; then how fast resnet trains.
set -euo pipefail
source benchmarks/gpu/setup.sh
tar -xzf .carry/data/mnist.tar.gz -C "$DATA"
JOBS=8 grid "${1:-110}" mnist benchmarks/mnist/suite.toml --data-root "$DATA" --precision tf32
speed 40 measure.py --only "resnet + hinge" --batch 64 --rounds 2 --seconds 0.4
