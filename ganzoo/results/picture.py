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


def grid(images: Any) -> Image.Image:
    """Arrange uint8 images of shape (N, C, H, W) in a square grid."""
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
    return Image.fromarray(canvas[:, :, 0] if channels == 1 else canvas)


def save_grid(file: Path, images: Any) -> None:
    """Write a grid of uint8 images of shape (N, C, H, W) as PNG, atomically."""
    buffer = io.BytesIO()
    grid(images).save(buffer, "PNG")
    write_atomically(file, buffer.getvalue())


def save_montage(file: Path, grids: Mapping[str, Path]) -> None:
    """Write pictures side by side, each under its name, as PNG, atomically."""
    pictures = {name: Image.open(path).convert("RGB") for name, path in grids.items()}
    font = ImageFont.load_default(14)
    width = sum(max(picture.width, _length(name, font)) + GAP * 4 for name, picture in pictures.items())
    canvas = Image.new("RGB", (width, max(picture.height for picture in pictures.values()) + TITLE), "white")
    draw, left = ImageDraw.Draw(canvas), 0
    for name, picture in pictures.items():
        draw.text((left + GAP, GAP), name, fill="black", font=font)
        canvas.paste(picture, (left, TITLE))
        left += max(picture.width, _length(name, font)) + GAP * 4
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG", optimize=True)
    write_atomically(file, buffer.getvalue())


def _length(text: str, font: Any) -> int:
    return math.ceil(font.getlength(text)) + GAP


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
