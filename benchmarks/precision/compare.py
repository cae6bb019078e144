"""Compare the results of the same grid, carried out in several precisions.

    python benchmarks/precision/compare.py RUNS-FP32 RUNS-BF16 ...

Prints Markdown: for each combination and folder the mean and standard deviation over the seeds of the first metric of
the last checkpoint, and p of Welch's t-test against the first folder, corrected by Holm over the folders. A folder with
fewer than two results of a combination is left out of it.
"""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict
from pathlib import Path

from ganzoo.evaluate.metrics import columns
from ganzoo.results.significance import p_against_first
from ganzoo.results.store import Result, read_runs


def main() -> None:
    """Print the table."""
    folders = [Path(name) for name in sys.argv[1:]]
    found: dict[str, dict[Path, list[Result]]] = defaultdict(lambda: defaultdict(list))
    title = ""
    for folder in folders:
        for _, run, result in read_runs(folder):
            if result and result.last and result.protocol:
                found[run.combination][folder].append(result)
                title = result.protocol.title(columns(run.evaluation.metrics)[0])
    print(f"| combination | precision | {title} | n | p | device s |\n|---|---|---:|---:|---:|---:|")
    for combination, results in found.items():
        scores = [[first_score(one) for one in results[folder]] for folder in folders]
        for folder, values, p in zip(folders, scores, p_against_first(scores), strict=True):
            if len(values) < 2:  # this grid was stopped before its end
                continue
            seconds = statistics.mean(one.device_seconds for one in results[folder])
            print(
                f"| {combination} | {results[folder][0].environment['precision']} | {statistics.mean(values):.2f} ± "
                f"{statistics.stdev(values):.2f} | {len(values)} | {'-' if p is None else f'{p:.3f}'} | {seconds:.0f} |"
            )


def first_score(result: Result) -> float:
    """Return the value that orders a table: that of the first metric."""
    assert result.last
    return next(iter(result.last.score.values()))


if __name__ == "__main__":
    main()
