"""`ganzoo sample`: draw images, or points, from a trained run."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

from ganzoo.data.locate import EXTENSIONS
from ganzoo.errors import ParameterError, ResultsError
from ganzoo.results.picture import save_grid, save_images, save_scatter
from ganzoo.results.store import write_atomically


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--n", "count", type=click.IntRange(min=1), default=64, show_default=True, help="How many.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="A .png for one picture of all, a .npy for an array, else a folder of images.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the latents.")
@click.option(
    "--which", type=click.Choice(["best", "last"]), default="best", show_default=True, help="Which checkpoint."
)
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="cpu", show_default=True, help="Where to compute."
)
def sample(run: Path, *, count: int, out: Path, seed: int, which: str, device: str) -> None:
    """Draw images, or points, from a trained run.

    RUN is the folder of a finished run: a combination's seed-N in a results folder.
    """
    from ganzoo.sampler import Sampler  # noqa: PLC0415  (torch)

    sampler = Sampler.load(run, which, device)
    points = sampler.run.dtype == "float32"
    save = _writer(out, points)
    samples = sampler.sample(count, seed)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        save(out, samples)
    except OSError as error:
        raise ResultsError(f"cannot write {out}: {error.strerror}; choose another --out") from None
    click.echo(f"{count} {'points' if points else 'images'}: {out}")


def _writer(out: Path, points: bool) -> Callable[[Path, Any], None]:
    """Return what writes samples to a place, by what the place is called.

    Raises:
        ParameterError: no picture is written in that form, or points have no images to fill a folder with.
    """
    form = out.suffix.lower()
    if form == ".npy":
        return _save_array
    if form in EXTENSIONS - {".png"}:
        raise ParameterError(f"--out {out}: pictures are written as .png; give NAME.png, NAME.npy or a folder's name")
    if points and form != ".png":
        raise ParameterError(
            f"--out {out} would be a folder of images, and this run draws points: give NAME.npy for an array, or "
            "NAME.png for a picture of them"
        )
    if points:
        return save_scatter
    return save_grid if form == ".png" else save_images


def _save_array(file: Path, samples: Any) -> None:
    """Write uint8 images of shape (N, C, H, W), or float32 points of shape (N, D), as NumPy's .npy, atomically."""
    array = np.asarray(samples)
    buffer = io.BytesIO()
    np.save(buffer, array if array.dtype == np.uint8 else array.reshape(len(array), -1))  # (N, D, 1, 1) -> (N, D)
    write_atomically(file, buffer.getvalue())
