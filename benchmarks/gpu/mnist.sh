#!/usr/bin/env bash
# On the GPU machine: MNIST for as long as on the CPU, and for longer.
set -euo pipefail
source benchmarks/gpu/setup.sh
tar -xzf .carry/data/mnist.tar.gz -C "$DATA"
grid 150 mnist benchmarks/mnist/suite.toml --data-root "$DATA"
grid 330 mnist-6000 benchmarks/mnist/suite.toml --data-root "$DATA" --steps 6000
