#!/usr/bin/env bash
# Puts into .carry what the GPU machine lacks: wheels, and one half (1 or 2) of the data. Run in the checkout's root.
set -euo pipefail
half=${1:?which half of the data: 1 or 2}
data=${2:-../shared/data}
mkdir -p .git/info
grep -qxs '/.carry/' .git/info/exclude || echo '/.carry/' >>.git/info/exclude
rm -rf .carry && mkdir -p .carry/wheels .carry/data
python3 -m pip download -q --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \
  --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --platform any \
  -d .carry/wheels entrypoints msgspec pytorch-fid
python3 -m pip wheel -q --no-deps -w .carry/wheels .
split -b 56M -d "$data/cifar10-train-32x32.zip" .carry/data/cifar10-train.part
if [ "$half" = 1 ]; then
  rm .carry/data/cifar10-train.part01
else
  rm .carry/data/cifar10-train.part00
  cp "$data/cifar10-test-32x32.zip" .carry/data/
fi
du -sh .carry
