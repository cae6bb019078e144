"""Pictures of samples. No torch."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ganzoo.errors import ResultsError
from ganzoo.results.store import write_atomically

GAP = 2
TITLE = 22
LEAST_SIDE = 32
"""Smaller images are enlarged by a whole factor, so that a person sees something."""

SCATTER_SIDE = 280
"""Pixels: about the side of a grid of 64 images of 32 pixels, beside which a scatter may stand."""
FINENESS = 4
"""A scatter is drawn so many times as large and shrunk, which smooths its discs."""
REAL, DRAWN = ((205, 205, 205), 3.0), ((31, 95, 180), 1.25)
"""Colour, and radius in pixels: a mode that was found is a coloured spot in a grey halo, a missed one is all grey."""


def save_grid(file: Path, images: Any) -> None:
    """Write uint8 images of shape (N, C, H, W) as a square grid in PNG, atomically."""
    pixels = np.asarray(images)
    count, channels, height, width = pixels.shape
    factor = max(1, math.ceil(LEAST_SIDE / max(height, width)))
    pixels = pixels.repeat(factor, axis=2).repeat(factor, axis=3)
    height, width = height * factor + GAP, width * factor + GAP
    columns = math.ceil(math.sqrt(count))
    canvas = np.full((math.ceil(count / columns) * height + GAP, columns * width + GAP, channels), 255, np.uint8)
    for index, image in enumerate(pixels):
        top, left = (index // columns) * height + GAP, (index % columns) * width + GAP
        canvas[top : top + height - GAP, left : left + width - GAP] = image.transpose(1, 2, 0)  # (C, H, W) -> (H, W, C)
    _save_png(file, Image.fromarray(canvas[:, :, 0] if channels == 1 else canvas))


def save_scatter(file: Path, drawn: Any, real: Any | None = None) -> None:
    """Draw generated points over real ones, on axes from -1 to 1, and write that as PNG, atomically.

    Args:
        file: to write.
        drawn: (N, D, 1, 1) or (N, D) in [-1, 1], of which the first two coordinates are seen; y points up.
        real: the same, light grey; None: no real points.
    """
    side = SCATTER_SIDE * FINENESS
    canvas = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, 0, side - 1, side - 1), outline=REAL[0], width=FINENESS)
    for points, (colour, radius) in ((real, REAL), (drawn, DRAWN)):
        for x, y in () if points is None else _places(points, side):
            reach = radius * FINENESS
            draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=colour)
    _save_png(file, canvas.reduce(FINENESS))


def _places(points: Any, side: int) -> Any:
    """Map points in [-1, 1] to pixels of a square picture, (N, 2); one coordinate alone lies on the middle line."""
    flat = np.asarray(points).reshape(len(points), -1)  # (N, D, 1, 1) -> (N, D)
    plane = np.pad(flat, ((0, 0), (0, 1)))[:, :2]
    return (plane * (1, -1) + 1) / 2 * (side - 1)


def _save_png(file: Path, picture: Image.Image) -> None:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    write_atomically(file, buffer.getvalue())


def save_montage(file: Path, grids: Mapping[str, Path]) -> None:
    """Write pictures side by side, each under its name, as PNG, atomically.

    Raises:
        ResultsError: one of them is damaged, or the file cannot be written.
    """
    pictures = {name: _picture(path) for name, path in grids.items()}
    font = ImageFont.load_default(14)
    widths = [max(one.width, math.ceil(font.getlength(name)) + GAP) + GAP * 4 for name, one in pictures.items()]
    canvas = Image.new("RGB", (sum(widths), max(one.height for one in pictures.values()) + TITLE), "white")
    draw, left = ImageDraw.Draw(canvas), 0
    for (name, picture), width in zip(pictures.items(), widths, strict=True):
        draw.text((left + GAP, GAP), name, fill="black", font=font)
        canvas.paste(picture, (left, TITLE))
        left += width
    try:
        _save_png(file, canvas)
    except OSError as error:
        raise ResultsError(f"cannot write {file}: {error.strerror}") from None


def _picture(file: Path) -> Image.Image:
    try:
        with Image.open(file) as picture:
            return picture.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:  # which of them depends on where a PNG is damaged
        raise ResultsError(f"{file} is damaged ({error}); delete it to go without") from None


def save_images(folder: Path, images: Any) -> None:
    """Write uint8 images of shape (N, C, H, W) as PNG files of a folder, which must be new or empty.

    Raises:
        ResultsError: the folder holds files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ResultsError(f"{folder} holds files; choose an empty or new folder with --out")
    for number, image in enumerate(np.asarray(images)):
        pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)  # (C, H, W) -> (H, W, C)
        Image.fromarray(pixels).save(folder / f"{number:06d}.png")
