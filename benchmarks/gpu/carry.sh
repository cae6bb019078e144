#!/usr/bin/env bash
# Puts into .carry what the GPU machine lacks: wheels, and one load of data. Run in the checkout's root.
set -euo pipefail
load=${1:?which load of data: none, cifar10-1, cifar10-2 or mnist}
data=${2:-../shared/data}
exclude=$(git rev-parse --git-path info/exclude) && mkdir -p "$(dirname "$exclude")"
grep -qxs '/.carry/' "$exclude" || echo '/.carry/' >>"$exclude"
rm -rf .carry && mkdir -p .carry/data
if [ "$load" != cifar10-2 ]; then # which comes after cifar10-1, to a machine that has the wheels
  python3 -m pip download -q --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \
    --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --platform any \
    -d .carry/wheels entrypoints msgspec pytorch-fid
  python3 -m pip wheel -q --no-deps -w .carry .
  unzip -q .carry/ganzoo_core-*.whl '*.dist-info/*' -d .carry/site # the rest is the checkout's own
  rm .carry/ganzoo_core-*.whl
fi
case $load in
none) ;;
mnist) tar -czf .carry/data/mnist.tar.gz -C "$data" MNIST ;;
cifar10-1) head -c 54M "$data/cifar10-train-32x32.zip" >.carry/data/cifar10-train.part1 ;;
cifar10-2)
  tail -c +$((54 * 1024 * 1024 + 1)) "$data/cifar10-train-32x32.zip" >.carry/data/cifar10-train.part2
  cp "$data/cifar10-test-32x32.zip" .carry/data/
  ;;
*) echo "no load called $load" >&2 && exit 2 ;;
esac
du -sh .carry
