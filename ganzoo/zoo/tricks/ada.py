"""ADA: adaptive discriminator augmentation (Karras, Aittala, Hellsten, Laine, Lehtinen & Aila 2020)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn

from ganzoo.api import Networks, Player, Step, Trick, Verdict
from ganzoo.zoo.specs.tricks.augmentation import ADAParams
from ganzoo.zoo.warp import blit, warp

BLIT, GEOMETRY, COLOR = ("bgc", "bg", "blit"), ("bgc", "bg", "geom"), ("bgc", "color")
"""The pipelines that hold each group of transforms."""


class ADA(Trick[ADAParams]):
    """Augments all that the discriminator sees; each transform comes with a probability p that follows overfitting."""

    def __init__(self, params: ADAParams) -> None:
        super().__init__(params)
        self.overfitting = Overfitting(params)

    def augment(self, images: Tensor, rng: Generator) -> Tensor:
        """Change images (N, C, H, W), by geometry and then by colour (appendix B)."""
        pipeline, (height, width) = self.params.pipeline, images.shape[2:]
        self.overfitting.to(images.device)
        draw = Draw(len(images), self.overfitting.p, rng)
        if pipeline in BLIT:
            images = blit(images, *copied(draw, width, height))
        if pipeline in GEOMETRY:
            images = warp(images, *transformed(draw, width, height))
        return recolor(images, draw) if pipeline in COLOR else images

    def verdict(self, verdict: Verdict, images: Tensor, step: Step) -> Verdict:
        """Note how sure the discriminator is of the real images that it learns from."""
        if step.player == "discriminator" and images is step.real:
            self.overfitting.observe(verdict.logits, len(images))
        return verdict

    def after_step(self, player: Player, networks: Networks, number: int) -> None:
        """Count a discriminator step, and change p where that is due."""
        if player == "discriminator" and self.params.images:
            self.overfitting.count()

    def state_dict(self) -> dict[str, Any]:
        """Return p and what was seen since it last changed."""
        return dict(self.overfitting.state_dict())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.overfitting.load_state_dict(state)


class Overfitting(nn.Module):
    """r_t = E[sign(D(x_train))] over some discriminator steps, and the p that it drives (section 3, equation 1)."""

    p: Tensor
    signs: Tensor
    steps: Tensor

    def __init__(self, params: ADAParams) -> None:
        super().__init__()
        self.params = params
        self.register_buffer("p", torch.tensor(params.start))
        self.register_buffer("signs", torch.zeros(()))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.last: tuple[Tensor, int] | None = None

    def observe(self, logits: Tensor, images: int) -> None:
        """Note the logits of one batch of real images; a second note before the step counts stands in for the first."""
        self.last = logits.detach().sign().mean(), images

    @torch.no_grad()
    def count(self) -> None:
        """Move p up where r_t is above the target, down where it is below, never below 0, once every interval.

        The arithmetic never asks a tensor for its value, so that the device need not be waited for.
        """
        if self.last is None:  # no loss judged the real images
            return
        sign, images = self.last
        interval, target = self.params.interval, self.params.target
        self.signs += sign
        self.steps += 1
        due = self.steps % interval == 0
        change = (self.signs / interval - target).sign() * (interval * images / self.params.images)
        self.p.copy_((self.p + due * change).clamp(min=0))
        self.signs *= ~due


class Draw:
    """Random numbers for each image, each of which takes effect with probability p."""

    def __init__(self, count: int, p: Tensor, rng: Generator) -> None:
        self.count, self.p, self.rng = count, p, rng

    def uniform(self) -> Tensor:
        """Draw (count,) from [0, 1)."""
        return torch.rand(self.count, generator=self.rng, device=self.rng.device)

    def normal(self, sd: float) -> Tensor:
        """Draw (count,) from N(0, sd^2)."""
        return sd * torch.randn(self.count, generator=self.rng, device=self.rng.device)

    def happens(self, p: Tensor | None = None) -> Tensor:
        """Draw which (count,) images a transform takes effect on."""
        return self.uniform() < (self.p if p is None else p)


def copied(draw: Draw, width: int, height: int) -> tuple[Tensor, Tensor]:
    """Return maps (N, 2, 2), (N, 2) that flip left to right, turn by quarters, and move by up to an eighth of the side.

    They tell where each pixel comes from, so they are the transforms' inverses, the last transform's on the right.
    """
    flipped = draw.happens() & (draw.uniform() < 0.5)
    angle = draw.happens() * (draw.uniform() * 4).floor() * (math.pi / 2)
    moved = draw.happens()
    right, down = (draw.uniform() * 2 - 1) * 0.125, (draw.uniform() * 2 - 1) * 0.125
    by = torch.stack([moved * (right * width).round(), moved * (down * height).round()], 1)
    side = 1 - 2.0 * flipped
    return _undoing(_stretch(side, torch.ones_like(side)) @ _turn(-angle), by)


def transformed(draw: Draw, width: int, height: int) -> tuple[Tensor, Tensor]:
    """Return maps (N, 2, 2), (N, 2) that scale, turn, stretch, turn again and move; inverses, as those of `copied`."""
    p_rot = 1 - (1 - draw.p).clamp(min=0).sqrt()  # so that either turn or both happen with probability p
    scale = torch.exp2(draw.happens() * draw.normal(0.2))
    before = draw.happens(p_rot) * (draw.uniform() * 2 - 1) * math.pi
    ratio = torch.exp2(draw.happens() * draw.normal(0.2))
    after = draw.happens(p_rot) * (draw.uniform() * 2 - 1) * math.pi
    moved = draw.happens()
    by = torch.stack([moved * draw.normal(0.125) * width, moved * draw.normal(0.125) * height], 1)
    return _undoing(_stretch(1 / scale, 1 / scale) @ _turn(-before) @ _stretch(1 / ratio, ratio) @ _turn(-after), by)


def _stretch(right: Tensor, down: Tensor) -> Tensor:
    """Return matrices (N, 2, 2) that scale by factors (N,)."""
    return torch.diag_embed(torch.stack([right, down], 1))


def _turn(angle: Tensor) -> Tensor:
    """Return matrices (N, 2, 2) that turn by angles (N,)."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, -sin, sin, cos], 1).unflatten(1, (2, 2))  # (N, 4) -> (N, 2, 2)


def _undoing(linear: Tensor, by: Tensor) -> tuple[Tensor, Tensor]:
    """Return the map x -> linear (x - by): first the move (N, 2) is undone, then the rest (N, 2, 2)."""
    return linear, -(linear @ by[:, :, None])[:, :, 0]


def recolor(images: Tensor, draw: Draw) -> Tensor:
    """Change brightness, contrast, luma, hue and saturation of images with 1 or 3 channels (appendix B).

    Its five matrices in a row have a closed form. P is the projection on the luma axis v = (1, 1, 1) / sqrt(3), and K x
    is v cross x. Brightness b, contrast c and the luma flip f = -1 act on luma; contrast, the hue's turn theta and
    saturation s act on the plane around it. Grey images are luma alone: hue and saturation leave them as they are, and
    the flip makes them negatives.
    """
    b = draw.happens() * draw.normal(0.2)
    c = torch.exp2(draw.happens() * draw.normal(0.5))
    f = 1 - 2.0 * (draw.happens() & (draw.uniform() < 0.5))
    theta = draw.happens() * (draw.uniform() * 2 - 1) * math.pi
    s = torch.exp2(draw.happens() * draw.normal(1.0))
    offset = (b * c * f)[:, None, None]
    pixels = images.flatten(2)  # (N, C, H, W) -> (N, C, H*W)
    if images.shape[1] == 1:
        changed = pixels * (c * f)[:, None, None] + offset
    else:
        identity = torch.eye(3, device=images.device)
        cycle = identity.roll(1, 0)
        luma, cross = torch.full_like(identity, 1 / 3), (cycle - cycle.mT) / math.sqrt(3)  # P and K
        kept, turned = s * theta.cos(), s * theta.sin()
        weights = (c * torch.stack([kept, f - kept, turned]))[:, :, None, None]  # (3, N, 1, 1)
        matrix = (weights * torch.stack([identity, luma, cross])[:, None]).sum(0)  # (N, 3, 3)
        changed = matrix.to(pixels.dtype) @ pixels + offset
    return changed.unflatten(2, images.shape[2:])
