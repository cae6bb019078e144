"""The half cosine that all of R3GAN's schedules follow. No torch."""

import math


def cosine(start: float, end: float, images: int, length: float) -> float:
    """Return the value after `images` of `length` images, on a half cosine from start to end; after that, the end."""
    return start + (end - start) * (1 - math.cos(math.pi * min(images / length, 1.0))) / 2
