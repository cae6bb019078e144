#!/usr/bin/env bash
# On the GPU machine: how the cost of a step grows with images and runs.
set -euo pipefail
source benchmarks/gpu/setup.sh
speed 150 growth.py --precision tf32
