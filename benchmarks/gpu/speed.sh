#!/usr/bin/env bash
# On the GPU machine: the tests that need one, and how fast dcgan and resnet train.
set -euo pipefail
source benchmarks/gpu/setup.sh
timeout -s INT "${2:-60}" python3 -m pytest -q -p no:cacheprovider tests/test_cuda.py -k "${1:-test}" >"$OUT/tests.txt" 2>&1 || true
tail -5 "$OUT/tests.txt"
date -u
speed 70 measure.py --only dcgan --batch 64,512 --rounds 2 --seconds 0.4 --together 1,8
speed 60 measure.py --only "resnet + hinge" --batch 64 --rounds 2 --seconds 0.4
