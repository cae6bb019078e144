# Sourced by the scripts beside it: the carried wheels on the path, and a folder for the data that stays between calls.
site=/tmp/site
python3 -m pip install -q --no-index --no-deps --no-compile --upgrade --target "$site" .carry/wheels/*.whl
export PYTHONPATH="$site" PATH="$site/bin:$PATH" PYTHONUNBUFFERED=1 DATA=/tmp/data
mkdir -p "$DATA"
