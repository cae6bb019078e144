#!/usr/bin/env bash
# On the GPU machine, second call: join CIFAR-10 and run its grid. What is finished when the time is up comes back.
set -euo pipefail
source benchmarks/gpu/setup.sh
cp .carry/data/cifar10-train.part01 .carry/data/cifar10-test-32x32.zip "$DATA/"
cat "$DATA"/cifar10-train.part0? >"$DATA/cifar10-train-32x32.zip"
export TORCH_HOME=/tmp/torch-home
[ -f "$TORCH_HOME/hub/checkpoints/pt_inception-2015-12-05-6726825d.pth" ] || python3 benchmarks/gpu/random_inception.py
timeout -s TERM 500 ganzoo bench benchmarks/cifar10/suite.toml --steps 2000 --evaluations 2 \
  --device cuda --jobs 6 --data-root "$DATA" \
  --out /tmp/cifar10 || true
ganzoo report /tmp/cifar10 --format md >"$OUT/cifar10.md"
cp /tmp/cifar10/samples.png "$OUT/cifar10.png" || true
tar -cf "$OUT/generators.tar" --exclude=checkpoint.pt --exclude=generator-best.safetensors -C /tmp cifar10
