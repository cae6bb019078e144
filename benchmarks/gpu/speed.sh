#!/usr/bin/env bash
# On the GPU machine: the tests that need one, and how fast training is; keeps the first part of CIFAR-10, if it came.
set -euo pipefail
source benchmarks/gpu/setup.sh
cp .carry/data/cifar10-train.part1 "$DATA/" || true
timeout -s INT 60 python3 -m pytest -q -p no:cacheprovider tests/test_cuda.py >"$OUT/tests.txt" 2>&1 || true
tail -5 "$OUT/tests.txt"
date -u
cd benchmarks/speed
measure() { timeout "$1" python3 measure.py --device cuda --rounds 2 --seconds 0.4 "${@:2}" 2>&1 | tee -a "$OUT/speed.md" || true; }
measure 60 --only dcgan --batch 64,512 --together 1,8
measure 45 --only "resnet + hinge" --batch 64
date -u
