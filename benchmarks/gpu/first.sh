#!/usr/bin/env bash
# On the GPU machine: install, keep the first part of CIFAR-10, run tests on its torch, then train on CUDA.
set -euo pipefail
source benchmarks/gpu/setup.sh
cp .carry/data/cifar10-train.part1 "$DATA/"
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
timeout 180 python3 -m pytest -q -p no:cacheprovider tests/test_zoo.py tests/test_trainer.py | tail -5 || true
grid 240 digits benchmarks/digits/suite.toml
