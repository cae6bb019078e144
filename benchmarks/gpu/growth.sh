#!/usr/bin/env bash
# On the GPU machine: the tests that need one; how the cost of a step grows with images and runs.
set -euo pipefail
source benchmarks/gpu/setup.sh
tests
speed 80 growth.py --precision tf32
