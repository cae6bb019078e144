#!/usr/bin/env bash
# On the GPU machine, first call: install, keep the first half of CIFAR-10, and run the small suites on CUDA.
set -euo pipefail
source benchmarks/gpu/setup.sh
cp .carry/data/cifar10-train.part00 "$DATA/"
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
timeout 240 python3 -m pytest -q -p no:cacheprovider tests/test_zoo.py tests/test_trainer.py | tail -5
timeout 240 ganzoo bench benchmarks/digits/suite.toml --device cuda --jobs 6 --out "$OUT/digits"
ganzoo report "$OUT/digits" --format md >"$OUT/digits.md"
cp "$OUT/digits/samples.png" "$OUT/digits.png"
rm -rf "$OUT/digits"
