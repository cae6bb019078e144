#!/usr/bin/env bash
# On the GPU machine: which methods find the 1,000 modes of stacked MNIST; one seed in 2,000 steps, as far as time goes.
set -euo pipefail
source benchmarks/gpu/setup.sh
tar -xzf .carry/data/mnist.tar.gz -C "$DATA"
grid 540 stacked-mnist benchmarks/stacked-mnist/suite.toml --data-root "$DATA" --steps 2000 --seeds 1 --evaluations 2
