"""What `ganzoo bench --dry-run` prints: the plan, with the reason of everything in it."""

from __future__ import annotations

from pathlib import Path

import click

from ganzoo.params import format_value, label
from ganzoo.planning.grid import Plan
from ganzoo.planning.published import Published
from ganzoo.planning.run import Run
from ganzoo.registry.compatibility import Chosen


def show_plan(plan: Plan, out: Path, engine: Chosen | None = None) -> None:
    """Print every combination with its folded recipe, every adjustment, every refusal, and what it costs."""
    for number, run in enumerate(plan.combinations, 1):
        _show_combination(number, run)
        if run.combination_id in plan.published:
            _show_published(plan.published[run.combination_id])
    for refusal in plan.refusals:
        click.echo(f"\nleft out: {refusal.combination}")
        for reason in refusal.reasons:
            click.echo(f"    {reason}")
    _show_cost(plan)
    if engine is not None:
        click.echo(f"the engine {label(engine.name, engine.params)} would carry them out")
    click.echo(f"results would go to {out}")


def _show_combination(number: int, run: Run) -> None:
    channels, height, width = run.shape
    classes = f", conditional on {run.classes} classes" if run.classes else ""
    click.echo(f"\n{number}. {run.combination}")
    if not run.combination.endswith(run.components):
        click.echo(f"    combines {run.components}")
    click.echo(f"    images   {channels}x{height}x{width} from {run.dataset.label}{classes}")
    for index, (source, values) in enumerate(_by_source(run).items()):
        click.echo(f"    {'' if index else 'recipe':8} {source}: {', '.join(values)}")
    evaluation = run.evaluation
    scored = f"{evaluation.samples:,} images through {evaluation.extractor.label}"
    click.echo(f"    scores   {', '.join(evaluation.metrics)}: {scored}, at {_count(run.points, 'point')}")
    for line in run.adjustments:
        click.echo(f"    adjusted {line}")


def _show_published(told: Published) -> None:
    scores = ", ".join(f"{key} {value:g}" for key, value in told.scores.items())
    steps = f", {told.steps:,} steps" if told.steps else ""
    protocol = (
        f"{told.samples:,} images through {told.extractor} against {told.reference}, {told.checkpoint} checkpoint"
    )
    click.echo(f"    others   {scores} ({protocol}{steps}): {told.source}")


def _by_source(run: Run) -> dict[str, list[str]]:
    """Return the recipe as `key=value`, by where each value came from."""
    found: dict[str, list[str]] = {}
    for key, value in run.recipe.items():
        found.setdefault(run.sources[key], []).append(f"{key}={format_value(value)}")
    return found


def _show_cost(plan: Plan) -> None:
    generator = sum(run.recipe["steps"] for run in plan.runs)
    discriminator = sum(run.recipe["steps"] * run.recipe["n_critic"] for run in plan.runs)
    images = sum(run.recipe["steps"] * run.recipe["n_critic"] * run.recipe["batch_size"] for run in plan.runs)
    scored = sum(run.evaluation.samples * (run.points + 3) for run in plan.runs)
    click.echo(
        f"\ncost: {_count(len(plan.combinations), 'combination')} x {_count(len(plan.request.seeds), 'seed')} "
        f"= {_count(len(plan.runs), 'run')}; "
        f"{generator:,} generator steps, {discriminator:,} discriminator steps on {images:,} real images; "
        f"{scored:,} generated images to score"
    )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
