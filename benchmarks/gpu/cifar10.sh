#!/usr/bin/env bash
# On the GPU machine, within 30 seconds of the first part's arrival: join CIFAR-10 and run its grid, all six runs side by side.
set -euo pipefail
source benchmarks/gpu/setup.sh
cp .carry/data/cifar10-train.part2 .carry/data/cifar10-test-32x32.zip "$DATA/"
cat "$DATA"/cifar10-train.part[12] >"$DATA/cifar10-train-32x32.zip"
JOBS=6 grid "${1:-300}" cifar10 benchmarks/cifar10/suite.toml --data-root "$DATA" --precision tf32 --steps "${2:-4000}"
