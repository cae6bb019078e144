"""A step with known logits, for tests of formulas: no networks, no training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ganzoo.api import Player

if TYPE_CHECKING:
    from torch import Tensor

    from ganzoo.train.step import PlayerStep


def toy_step(real: Sequence[float], fake: Sequence[float], player: Player = "discriminator") -> PlayerStep:
    """Return a player's step whose discriminator gives these logits, one for each image of each batch.

    For example:

        step = toy_step(real=[2.0, 0.5], fake=[-3.0, 1.0])
        assert MyLoss(Params()).discriminator(step)["real"].item() == pytest.approx(0.25)

    Its images are 2x2 pixels that all hold the logit, and its discriminator answers their mean: gradients with respect
    to images exist. The logits may be any numbers, beyond [-1, 1] too.
    """
    import torch  # noqa: PLC0415  (imported when a test asks for a step)

    from ganzoo.api import Step, Verdict  # noqa: PLC0415
    from ganzoo.train.step import Batch, PlayerStep  # noqa: PLC0415

    def judge(images: Tensor, step: Step) -> Verdict:
        features = images.flatten(1)  # (N, 1, 2, 2) -> (N, 4)
        return Verdict(features.mean(1), features)

    def images(logits: Sequence[float]) -> Tensor:
        return torch.tensor(logits)[:, None, None, None].expand(-1, 1, 2, 2).clone().requires_grad_()

    drawn = images(fake)
    batch = Batch(images(real), drawn, drawn.detach().flatten(1), None)
    return PlayerStep(player, 0, batch, torch.Generator().manual_seed(0), judge)
