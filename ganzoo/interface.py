"""The Python functions that mirror the command line. No torch until something is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.errors import Interrupted
from ganzoo.paths import expanded
from ganzoo.registry.lookup import PLURALS, Component, installed
from ganzoo.version import __version__

__all__ = ["__version__", "bench", "list_components", "load", "plan", "report", "score"]

if TYPE_CHECKING:
    from ganzoo.evaluate.compare import Tell
    from ganzoo.planning.grid import Plan
    from ganzoo.results.comparison import Comparison
    from ganzoo.results.rows import Summary
    from ganzoo.sampler import Sampler


def list_components(kind: str | None = None) -> list[Component]:
    """Return the installed components: all, or those of `"architectures"`, `"losses"`, ... (`ganzoo list`)."""
    if kind is not None and kind not in PLURALS:
        raise ValueError(f"kind is one of {', '.join(PLURALS)}, not {kind!r}")
    return [one for one in installed().components if kind is None or one.kind == PLURALS[kind]]


def plan(suite: str | Path | None = None, **request: Any) -> Plan:
    """Return the checked runs of a grid and what was refused, with reasons (`ganzoo bench --dry-run`).

    Args:
        suite: a TOML suite file, whose values the arguments override.
        **request: `model`, `loss`, `dataset`, `trick`, `ablate` (each `"name:key=value"`, a table with a name, or a
            list of them), `extractor`, `metrics`, `seeds`, `samples`, `evaluations`, `data_root` and `recipe` (a dict).

    Raises:
        GanzooError: a name, a value or a whole grid that cannot work.
    """
    from ganzoo.planning.command import plan_from  # noqa: PLC0415  (keeps `import ganzoo` light)

    return plan_from(request, None if suite is None else expanded(suite))[0]


def bench(suite: str | Path | None = None, **request: Any) -> Summary:
    """Train and score a grid, continuing what was interrupted, and return its table (`ganzoo bench`).

    It prints nothing, and leaves out combinations that cannot work, which `plan(...).refusals` names. A run that fails
    or diverges raises nothing; its row says so.

    Takes what `plan` takes, and `out` (the results folder), `engine` (what carries the runs out, `"name:key=value"`),
    `device` (`"auto"`, `"cpu"` or `"cuda"`), `mode` (`"auto"`, `"eager"`, `"fast"`, `"graph"` or `"compiled"`),
    `precision` (`"auto"`, `"fp32"`, `"tf32"` or `"bf16"`), `jobs`, and `profile` (whether to trace the runs, one at a
    time).

    Raises:
        GanzooError: as `plan` does, or a folder, data or an engine that cannot be used.
        Interrupted: on Ctrl-C, after the runs at work have written their checkpoints; the same call continues.
    """
    from ganzoo.engine.grid import default_out, run_grid  # noqa: PLC0415
    from ganzoo.engine.watch import Watcher  # noqa: PLC0415
    from ganzoo.planning.command import plan_from  # noqa: PLC0415

    made, options = plan_from(request, None if suite is None else expanded(suite))
    out = options.out or default_out(made)
    try:
        run_grid(made, out, Watcher(), options)
    except Interrupted as stopped:
        raise Interrupted(f"{stopped}; what is finished is kept in {out}; the same call continues") from None
    return report(out)


def report(*runs: str | Path, split: bool = False) -> Summary:
    """Return the table of one or several results folders (`ganzoo report`); `split`: a table for each protocol."""
    from ganzoo.results.summary import summarise  # noqa: PLC0415

    return summarise([expanded(folder) for folder in runs], split)


def load(run: str | Path, which: str = "best", device: str = "cpu") -> Sampler:
    """Return the generator of a finished run, to sample images from.

    Args:
        run: the run's folder, e.g. `runs/digits/dcgan-bce-1a2b3c4d/seed-0`.
        which: `"best"` or `"last"`.
        device: where to sample.
    """
    from ganzoo.sampler import Sampler  # noqa: PLC0415

    return Sampler.load(expanded(run), which, device)


def score(
    *fakes: str | Path,
    against: str | Path | None = None,
    extractor: str | None = None,
    metrics: str | Sequence[str] | None = None,
    samples: int | None = None,
    which: str = "best",
    device: str = "auto",
    data_root: str | Path | None = None,
    tell: Tell = lambda what, passed: None,
) -> Comparison:
    """Return what images score against real ones, without training (`ganzoo score`).

    Args:
        *fakes: folders or zips of images, .npz or .npy arrays, runs, or a dataset's split as in `"mnist@test"`.
        against: the real images, likewise, or an .npz with mu and sigma; None: what the first of `fakes`, a run, was
            trained on.
        extractor: the feature network; None: that of the dataset or run among them, else `inception`.
        metrics: names of metrics; None: those of that dataset or run, else `fid` and `is`.
        samples: how many images a run draws; None: as many as its own scores are from.
        which: a run's checkpoint, `"best"` or `"last"`.
        device: `"auto"`, `"cpu"` or `"cuda"`.
        data_root: folder of datasets.
        tell: is told what is being read, and how many images of it have passed.

    Raises:
        GanzooError: images that cannot be read or are too few, a name that nobody knows.
    """
    from ganzoo.engine.scoring import score_pictures  # noqa: PLC0415

    wanted = None if against is None else str(against)
    root = None if data_root is None else expanded(data_root)
    return score_pictures(list(map(str, fakes)), wanted, extractor, metrics, samples, which, device, root, tell)
