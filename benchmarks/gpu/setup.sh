# Sourced by the scripts beside it, on the GPU machine: the carried wheels on the path, and how a grid is run.
site=/tmp/site
python3 -m pip install -q --no-index --no-deps --no-compile --upgrade --target "$site" .carry/wheels/*.whl
export PYTHONPATH="$site" PYTHONUNBUFFERED=1 DATA=/tmp/data GANZOO_CACHE=/tmp/cache
mkdir -p "$DATA"

# grid NAME SUITE [FLAGS]: run a suite on CUDA, all runs at once; what is finished in seven minutes comes back.
grid() {
  local name=$1 && shift
  timeout -s TERM 420 python3 -P -m ganzoo bench "$@" --device cuda --jobs 6 --out "/tmp/$name" || true
  python3 -P -m ganzoo report "/tmp/$name" --format md >"$OUT/$name.md" || true
  cp "/tmp/$name/samples.png" "$OUT/$name.png" || true
}
