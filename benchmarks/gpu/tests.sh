#!/usr/bin/env bash
# On the GPU machine: the tests that need one.
set -euo pipefail
source benchmarks/gpu/setup.sh
timeout -s INT 240 python3 -m pytest -q -p no:cacheprovider --durations=5 tests/test_cuda.py >"$OUT/tests.txt" 2>&1 || true
grep -h "^E  \|FAILED\|passed\|failed\|s call" "$OUT/tests.txt" | cut -c1-300 | tail -30 || true
date -u
