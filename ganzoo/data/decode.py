"""Image files become uint8 arrays of one shape, once for all processes. No torch."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ganzoo.api import Images
from ganzoo.data.cache import cached, stat_key
from ganzoo.errors import DataError
from ganzoo.paths import cache_dir

VERSION = 1
"""Of the decoding; part of the cache key, so that a change never reads pixels of an older version."""
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
"""Formats that Pillow may recognise, whatever a file's name; its other readers run programs or need plugins."""
CHUNK = 64
"""Images that a thread decodes before it asks for more."""
THREADS = min(8, os.cpu_count() or 1)

Shape = tuple[int, int, int]


class Source(NamedTuple):
    """One encoded image."""

    name: str
    """Where it is, for error messages."""
    read: Callable[[], bytes]


def decode_once(sources: Sequence[Source], files: Iterable[Path], shape: Shape, channels: int, size: int) -> np.ndarray:
    """Decode as `decode_all` does, or return what any process has decoded before.

    `files` are those that the sources, and their order, come from; where one changes, all are decoded again.
    """

    def decode() -> Images:
        return Images(decode_all(sources, shape, channels, size), None)

    key = f"{VERSION}-{'x'.join(map(str, shape))}-{channels}-{size}-{stat_key(files)}"
    return cached(key, decode, cache_dir() / "decoded").pixels


def decode_all(sources: Sequence[Source], shape: Shape, channels: int, size: int) -> np.ndarray:
    """Decode images in order, on a few threads, to uint8 of shape (N, *shape).

    `channels` and `size` are as in `decode_image`. A grey image is repeated where the shape has three channels; any
    other difference from it is a DataError.
    """
    pixels = np.empty((len(sources), *shape), np.uint8)

    def fill(start: int) -> None:
        for i in range(start, min(start + CHUNK, len(sources))):
            image = _decode(sources[i], channels, size)
            _check_shape(sources[i].name, image.shape, shape)
            pixels[i] = image  # (1 or C, H, W) -> (C, H, W)

    with _quiet(), ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(fill, range(0, len(sources), CHUNK)):
            pass
    return pixels


def decode_each(sources: Sequence[Source]) -> list[np.ndarray]:
    """Decode images in order, on a few threads, each to the shape that it has by itself."""
    with _quiet(), ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda source: _decode(source, 0, 0), sources))


def decode_image(source: Source, channels: int = 0, size: int = 0) -> np.ndarray:
    """Decode one image to uint8 of shape (C, H, W); not in a thread, since what silences Pillow is process-wide.

    The first frame counts, turned upright as EXIF says. Transparent parts become white, 16 bits the upper 8. With a
    `size` the centre square is resized to it (Lanczos, antialiased); 0 keeps height and width. `channels` is 1 or 3;
    0 keeps grey as 1 and everything else as 3. DataError where the file is broken.
    """
    with _quiet():
        return _decode(source, channels, size)


def _decode(source: Source, channels: int, size: int) -> np.ndarray:
    """Decode one image; safe in a thread."""
    try:
        with Image.open(io.BytesIO(source.read()), formats=FORMATS) as image:
            ImageOps.exif_transpose(image, in_place=True)
            plain = _plain(image)
        if channels:
            plain = plain.convert("L" if channels == 1 else "RGB")
        if size:
            plain = ImageOps.fit(plain, (size, size), Image.Resampling.LANCZOS)
    except Exception as error:  # decoders of hostile bytes raise anything
        raise DataError(f"{source.name} cannot be decoded ({_reason(error)}): remove or replace it") from error
    pixels = np.asarray(plain)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)  # (H, W[, 3]) -> (C, H, W)


def _plain(image: Image.Image) -> Image.Image:
    """Return an image in mode L or RGB, 8 bits a channel, without transparency."""
    if image.mode == "F":
        raise ValueError("floating-point pixels, whose range is not known; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    mode = "L" if image.mode in ("1", "L", "LA") else "RGB"
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert(mode)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return the upper 8 bits of a grey 16-bit image; Pillow's own conversion clips at 255."""
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("32-bit pixels, whose range is not known; save it with 8 or 16 bits")
    return Image.fromarray((values >> 8).astype(np.uint8))


def _check_shape(name: str, found: tuple[int, ...], wanted: Shape) -> None:
    """Raise DataError where an image does not have, or broadcast to, the shape of the others."""
    if found[1:] != wanted[1:]:
        raise DataError(
            f"{name} is {found[1]}x{found[2]} (height x width), the dataset's first image {wanted[1]}x{wanted[2]}: "
            "make them alike, or let ganzoo do it with size="
        )
    if found[0] > wanted[0]:
        raise DataError(
            f"{name} has colour, the dataset's first image none: decide with channels=3 for colour or channels=1 for "
            "grey"
        )


def _reason(error: Exception) -> str:
    """Return what went wrong, without the memory address that Pillow's own message ends with."""
    if isinstance(error, UnidentifiedImageError):
        return f"not one of {', '.join(FORMATS)}"
    return str(error) or type(error).__name__


def _quiet() -> warnings.catch_warnings[None]:
    """Silence Pillow's remarks on odd metadata; entered before the threads start, since filters are process-wide."""
    return warnings.catch_warnings(action="ignore")
