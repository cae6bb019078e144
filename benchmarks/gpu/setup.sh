# Sourced by the scripts beside it, on the GPU machine: the carried wheels on the path, and how a grid is run.
site=/tmp/site
python3 -m pip install -q --no-index --no-deps --no-compile --upgrade --target "$site" .carry/wheels/*.whl
export PYTHONPATH="$site" PYTHONUNBUFFERED=1 DATA=/tmp/data GANZOO_CACHE=/tmp/cache
mkdir -p "$DATA"

# grid SECONDS NAME SUITE [FLAGS]: run a suite on CUDA, all runs at once; what is finished by then comes back.
grid() {
  local limit=$1 name=$2 && shift 2
  timeout -s TERM "$limit" python3 -P -m ganzoo bench "$@" --device cuda --jobs 6 --out "/tmp/$name" || true
  python3 -P -m ganzoo report "/tmp/$name" --format md >"$OUT/$name.md" || true
  cp "/tmp/$name/samples.png" "$OUT/$name.png" || true
}
