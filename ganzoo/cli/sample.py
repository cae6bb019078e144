"""`ganzoo sample`: draw images from a trained run."""

from __future__ import annotations

from pathlib import Path

import click

from ganzoo.errors import ResultsError
from ganzoo.results.picture import save_grid, save_images


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--n", "count", type=click.IntRange(min=1), default=64, show_default=True, help="Images.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A .png for one grid, else a folder.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the latents.")
@click.option("--which", type=click.Choice(["best", "last"]), default="best", show_default=True, help="Checkpoint.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="cpu", show_default=True, help="Where.")
def sample(run: Path, *, count: int, out: Path, seed: int, which: str, device: str) -> None:
    """Draw images from RUN, the folder of a finished run (a combination's seed-N)."""
    from ganzoo.sampler import Sampler  # noqa: PLC0415  (torch)

    images = Sampler.load(run, which, device).sample(count, seed)
    try:
        if out.suffix.lower() == ".png":
            out.parent.mkdir(parents=True, exist_ok=True)
            save_grid(out, images)
        else:
            save_images(out, images)
    except OSError as error:
        raise ResultsError(f"cannot write {out}: {error.strerror}; choose another --out") from None
    click.echo(f"{count} images: {out}")
