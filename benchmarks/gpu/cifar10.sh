#!/usr/bin/env bash
# On the GPU machine, within 30 seconds of first.sh: join CIFAR-10 and run its grid.
set -euo pipefail
source benchmarks/gpu/setup.sh
cp .carry/data/cifar10-train.part2 .carry/data/cifar10-test-32x32.zip "$DATA/"
cat "$DATA"/cifar10-train.part[12] >"$DATA/cifar10-train-32x32.zip"
grid 420 cifar10 benchmarks/cifar10/suite.toml --data-root "$DATA" --steps 2000 --evaluations 2
for folder in /tmp/cifar10/*/; do # one file a combination: a file over 16 MiB does not come back
  tar -cf "$OUT/$(basename "$folder").tar" --exclude=generator-best.safetensors --exclude=checkpoint.pt "$folder"
done
