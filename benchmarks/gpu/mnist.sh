#!/usr/bin/env bash
# On the GPU machine: MNIST in 1,500 steps, by the papers' recipes and by faster ones.
set -euo pipefail
source benchmarks/gpu/setup.sh
JOBS=8 grid "${1:-110}" mnist benchmarks/mnist/suite.toml --data-root "$DATA" --precision tf32
