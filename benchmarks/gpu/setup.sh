# Sourced by the scripts beside it, on the GPU machine: the carried wheels on the path, and how a grid is run.
site=/tmp/site
if [ -d .carry/wheels ] && [ ! -d "$site" ]; then # a second load needs none
  python3 -m pip install -q --no-index --no-deps --no-compile --upgrade --target "$site" .carry/wheels/*.whl
  cp -r .carry/site/. "$site/"
fi
export PYTHONPATH="$PWD:$site" PYTHONUNBUFFERED=1 DATA=/tmp/data GANZOO_CACHE=/tmp/cache
mkdir -p "$DATA"
if [ -e .carry/data/cifar10-train.part1 ]; then # the second load comes later
  cp .carry/data/cifar10-train.part1 "$DATA/"
fi
if [ -e .carry/data/mnist.tar.gz ]; then
  tar -xzf .carry/data/mnist.tar.gz -C "$DATA"
fi
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
date -u

# speed SECONDS SCRIPT [FLAGS]: run a script of benchmarks/speed on CUDA; after so long it has a minute to measure what is warm.
speed() {
  (cd benchmarks/speed && timeout --foreground -s INT -k 60 "$1" python3 -W ignore "$2" --device cuda "${@:3}" 2>&1 | tee -a "$OUT/speed.md") || true
  date -u
}

# beside SECONDS NUMBER FLAGS: run measure.py in such a way that several get warm at once, and each measures alone.
beside() {
  speed "$1" measure.py --beside /tmp/turn --rounds 2 --seconds 0.4 "${@:3}" >"/tmp/beside-$2.md"
}

# grid SECONDS NAME SUITE [FLAGS]: run a suite on CUDA, JOBS runs side by side. What is finished by then comes back: its table,
# and all but the weights in an archive, from which `ganzoo report` makes other tables. At most 8 files come back in all.
grid() {
  local limit=$1 name=$2 && shift 2
  timeout -s TERM "$limit" python3 -P -m ganzoo bench "$@" --device cuda --jobs "${JOBS:-4}" --out "/tmp/$name" >>"$OUT/log.txt" 2>&1 || true
  python3 -P -m ganzoo report "/tmp/$name" --format md | tee "$OUT/$name.md" || true
  tar -czf "$OUT/$name.tar.gz" -C /tmp --exclude='*.safetensors' --exclude=checkpoint.pt "$name" || true
  grep -h "captured\|failed" "$OUT/log.txt" || true
  date -u
}
