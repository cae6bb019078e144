#!/usr/bin/env bash
# On the GPU machine: the tests that need one.
set -euo pipefail
source benchmarks/gpu/setup.sh
timeout -s INT -k 20 240 python3 -m pytest -n 4 -v -p no:benchmark -p no:cacheprovider -o faulthandler_timeout=100 --durations=5 tests/test_cuda.py >"$OUT/tests.txt" 2>&1 || true
grep -h "^E  \|FAILED\|passed\|failed\|s call" "$OUT/tests.txt" | cut -c1-300 | tail -30 || true
date -u
