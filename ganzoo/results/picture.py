"""Pictures of samples. No torch."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganzoo.results.store import write_atomically

GAP = 2
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
