"""`ganzoo score`: metrics of images that are already there, from any tool."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

import click

from ganzoo.cli.completion import names
from ganzoo.cli.output import print_table
from ganzoo.evaluate.metrics import METRICS


@click.command()
@click.argument("fakes", nargs=-1, required=True)
@click.option("--against", help="The real images; default: what a run was trained on.")
@click.option("--extractor", shell_complete=names("extractor"), help="Feature network; default: their dataset's.")
@click.option("--metrics", help=f"Of {', '.join(METRICS)}; default: their dataset's.")
@click.option("--samples", type=click.IntRange(min=2), help="Images that a run draws; default: as its own scores.")
@click.option(
    "--which", type=click.Choice(["best", "last"]), default="best", show_default=True, help="Which checkpoint of a run."
)
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True, help="Where to compute."
)
@click.option("--data-root", type=click.Path(path_type=Path), help="Folder of datasets; default as in ganzoo bench.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def score(
    fakes: tuple[str, ...], *, against: str | None, extractor: str | None, metrics: str | None, samples: int | None,
    which: str, device: str, data_root: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Score FAKES against real images, without training.

    Both are a folder of images (at any depth), a .zip, an .npz or .npy array, a run's folder, or a dataset's split as
    in mnist@test; real images may also be an .npz with mu and sigma, as pytorch-fid writes it.
    """
    from ganzoo.interface import score as score_images  # noqa: PLC0415

    with contextlib.redirect_stdout(sys.stderr), _Progress() as progress:  # a feature network may print
        found = score_images(
            *fakes, against=against, extractor=extractor, metrics=metrics, samples=samples, which=which,
            device=device, data_root=data_root, tell=progress,
        )  # fmt: skip
    if as_json:
        click.echo(json.dumps(found.tree(), indent=2))
        return
    print_table("", found.header(), found.cells(), right=range(1, len(found.header())))
    for note in found.notes():
        click.echo(note)


class _Progress:
    """One line on standard error that counts images, where a person is looking."""

    def __init__(self) -> None:
        self.shown = False

    def __enter__(self) -> _Progress:
        return self

    def __call__(self, what: str, passed: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r\033[K{what}: {passed:,} images", nl=False, err=True)
            self.shown = True

    def __exit__(self, *_: object) -> None:
        if self.shown:
            click.echo("\r\033[K", nl=False, err=True)
