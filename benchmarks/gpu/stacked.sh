#!/usr/bin/env bash
# On the GPU machine: which methods find the 1,000 modes of stacked MNIST, as far as the seconds go.
set -euo pipefail
source benchmarks/gpu/setup.sh
grid "${1:-500}" stacked-mnist benchmarks/stacked-mnist/suite.toml --data-root "$DATA" --precision tf32 --seeds "${2:-1}" --evaluations 2
