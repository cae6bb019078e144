"""`ganzoo bench`: train and score a grid of combinations."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from ganzoo.api import Recipe
from ganzoo.cli.completion import names
from ganzoo.cli.dry_run import show_plan
from ganzoo.cli.output import is_terminal, print_table
from ganzoo.engine.grid import default_out, run_grid
from ganzoo.engine.watch import Bars, Lines
from ganzoo.errors import Interrupted, ParameterError, ResultsError
from ganzoo.evaluate.metrics import METRICS
from ganzoo.params import parameters
from ganzoo.planning.command import plan_from
from ganzoo.planning.grid import Plan
from ganzoo.planning.placement import CHOICES
from ganzoo.registry.lookup import restricted
from ganzoo.results.rows import Summary
from ganzoo.results.summary import summarise
from ganzoo.results.tables import cells, header, notes, numbers, titles

RECIPE_HELP = f"Recipe values: {', '.join(parameters(Recipe))}. Repeats or takes commas."


@click.command()
@click.argument("suite", required=False, type=click.Path(path_type=Path))
@click.option(
    "--model",
    multiple=True,
    shell_complete=names("architecture"),
    help="Architectures. Repeats or takes commas; parameters: dcgan:width=32.",
)
@click.option("--loss", multiple=True, shell_complete=names("loss"), help="Losses, likewise: bce,wgan-gp:penalty=5.")
@click.option("--dataset", multiple=True, shell_complete=names("dataset"), help="Datasets, likewise; default digits.")
@click.option("--trick", multiple=True, shell_complete=names("trick"), help="Tricks that every combination has.")
@click.option(
    "--ablate",
    multiple=True,
    shell_complete=names("trick"),
    help="Tricks that combinations are tried with and without.",
)
@click.option(
    "--extractor", shell_complete=names("extractor"), help="Feature network of the scores; default: the dataset's."
)
@click.option(
    "--metrics", multiple=True, help=f"Of {', '.join(METRICS)}; the first orders the table. Default: the dataset's."
)
@click.option("--seeds", metavar="N", help="How many (3) or which (0,7,9); default 1.")
@click.option("--steps", metavar="N", help="Generator steps; short for --recipe steps=...")
@click.option("--batch-size", metavar="N", help="Images in a step of either player; short for --recipe batch_size=...")
@click.option("--recipe", multiple=True, metavar="KEY=VALUE", help=RECIPE_HELP)
@click.option(
    "--samples", metavar="N", help="Generated images per score; default: as many as held-out real ones, at most 10,000."
)
@click.option("--evaluations", metavar="N", help="Evaluations during training; default 5.")
@click.option(
    "--engine", shell_complete=names("engine"), help="What carries the runs out; default local: processes here."
)
@click.option("--device", type=click.Choice(CHOICES["device"]), help="Where to train; default auto.")
@click.option(
    "--mode",
    type=click.Choice(CHOICES["mode"]),
    help="How steps are carried out: plainly (eager), with channels last (fast), as CUDA graphs (graph), or "
    "compiled besides (compiled); default auto, the fastest that leaves the numbers alone.",
)
@click.option(
    "--precision",
    type=click.Choice(CHOICES["precision"]),
    help="Of training; scores are always in fp32. Default auto, fp32.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Runs at a time; default: the engine's own; local: one per core, or one on a GPU.",
)
@click.option("--profile", is_flag=True, default=None, help="Write a trace of each run, and print where its time goes.")
@click.option("--out", type=click.Path(), help="Results folder; default runs/<names>-<hash>.")
@click.option(
    "--data-root", type=click.Path(), help="Folder of datasets; default $GANZOO_DATA, or ~/.cache/ganzoo/data."
)
@click.option("--only-from", multiple=True, help="Distributions that may take part, e.g. ganzoo-core; default: all.")
@click.option("--dry-run", is_flag=True, help="Show the plan and its reasons, and train nothing.")
def bench(suite: Path | None, dry_run: bool, only_from: tuple[str, ...], **flags: Any) -> None:
    """Train and score combinations of architectures, losses and tricks.

    SUITE is a TOML file with the same settings; flags override it. Running the same command again continues what was
    interrupted and skips what is done.
    """
    flags["recipe"] = _recipe(flags.pop("recipe"), flags.pop("steps"), flags.pop("batch_size"))
    with restricted(only_from):
        _bench(suite, dry_run, flags)


def _bench(suite: Path | None, dry_run: bool, flags: dict[str, Any]) -> None:
    plan, options = plan_from(flags, suite)
    out = options.out or default_out(plan)
    if dry_run:
        show_plan(plan, out, options.engine)
        return
    for refusal in plan.refusals:
        click.echo(f"left out {refusal.combination}: {'; '.join(refusal.reasons)}")
    for line in dict.fromkeys(line for run in plan.runs for line in run.adjustments):
        click.echo(line)
    try:
        with Bars() if is_terminal() else Lines() as watcher:
            run_grid(plan, out, watcher, options)
    except (Interrupted, KeyboardInterrupt):  # the latter of Ctrl-C once more, while runs are stopped or killed
        command = shlex.join(["ganzoo", *sys.argv[1:]])
        raise Interrupted(f"stopped; what is finished is kept in {out}; to continue: {command}") from None
    summary = summarise([out])
    show_summary(summary)
    _show_pictures(plan, out, summary)
    if not any(row.done for row in summary.rows):
        sys.exit(1)


def _recipe(pairs: tuple[str, ...], steps: str | None, batch_size: str | None) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in (piece for text in pairs for piece in text.split(",")):
        key, equals, value = pair.partition("=")
        if not equals:
            raise ParameterError(f'--recipe: "{pair}" is not key=value, e.g. generator_lr=1e-4')
        _set(values, key.strip(), value.strip())
    for key, value in (("steps", steps), ("batch_size", batch_size)):
        if value is not None:
            _set(values, key, value)
    return values


def _set(values: dict[str, str], key: str, value: str) -> None:
    if key in values:
        raise ParameterError(f"--recipe: {key} is given twice, as {values[key]} and as {value}")
    values[key] = value


def show_summary(summary: Summary) -> None:
    """Print the tables and their notes."""
    for title, table in zip(titles(summary), summary.tables, strict=True):
        print_table(title, header(table), cells(table), right=numbers(table))
    for note in notes(summary):
        click.echo(note)


def _show_pictures(plan: Plan, out: Path, summary: Summary) -> None:
    from ganzoo.results.picture import save_montage  # noqa: PLC0415  (NumPy and Pillow, which a dry run need not wait for)

    shown: dict[str, Path] = {}
    for row in summary.rows:
        files = [row.folder / f"seed-{seed}" / "samples.png" for seed in plan.request.seeds]
        drawn = next((file for file in files if file.exists()), None)
        if drawn:
            shown[row.combination] = drawn
    if shown:
        try:
            save_montage(out / "samples.png", shown)
            click.echo(f"\nsamples: {out / 'samples.png'}")
        except ResultsError as error:  # the table stands without
            click.echo(f"\nno picture of the samples: {error}")
    dashed = ["--"] * str(out).startswith("-")
    click.echo(f"results: {out} (table again: {shlex.join(['ganzoo', 'report', *dashed, str(out)])})")
