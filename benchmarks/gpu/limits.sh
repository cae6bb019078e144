#!/usr/bin/env bash
# On the GPU machine: how fast it carries out graphs of one kind of kernel, and a step's graphs, on several streams.
set -euo pipefail
source benchmarks/gpu/setup.sh
(cd benchmarks/speed && timeout -k 20 "${1:-150}" python3 -W ignore limits.py | tee "$OUT/limits.md")
