"""What the gradient penalties share: a gradient for each answer of the critic, where it is taken, and when."""

from __future__ import annotations

from typing import Protocol, TypeVar

import torch
from torch import Tensor

from ganzoo.api import Progress, Rates, Step, Trick


class Interval(Protocol):
    """Parameters of a lazy penalty."""

    @property
    def interval(self) -> int:
        """Generator steps from one penalty to the next."""
        ...


P = TypeVar("P", bound=Interval)


class Lazy(Trick[P]):
    """A penalty in each k-th generator step, with k times the weight (Karras et al. 2020, section 3.1, StyleGAN2).

    The paper's change of Adam's rates has no place here: it makes up for updates of the penalty's own, and here the
    terms share one.
    """

    due = True
    """Whether the step that comes next has the penalty: a function of its number, so there is no state to resume."""

    def schedule(self, rates: Rates, progress: Progress) -> Rates:
        """Note whether the penalty is due; where it is not, the pass that it would share is like any other."""
        self.due = progress.step % self.params.interval == 0
        self.differentiates = type(self).differentiates if self.due else ()
        return rates


def gradients(step: Step, images: Tensor) -> Tensor:
    """Return the gradient of each of the critic's answers with respect to the images, ready to be differentiated again.

    Args:
        step: the discriminator's step.
        images: (N, C, H, W), requiring a gradient. A batch of the step's own does if the component `differentiates` it.

    Returns:
        (N / packing, C * H * W * packing): a row holds all that the critic judges together, an image or several.
    """
    logits = step.judge(images).logits
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.reshape(len(logits), -1)  # (N, C, H, W) -> (N / packing, C*H*W*packing)


def between(step: Step) -> Tensor:
    """Return points (N, C, H, W), uniform on the lines between real and fake images (Gulrajani et al. 2017)."""
    return torch.lerp(step.fake, step.real, places(step)).requires_grad_()


def places(step: Step) -> Tensor:
    """Draw places on lines, (N, 1, 1, 1) from [0, 1).

    Images that are judged together are one point in the critic's space, and share their place on its line.
    """
    real, answers = step.real, len(step.targets.real)  # N and N / packing
    drawn = torch.rand(answers, 1, 1, 1, generator=step.rng, device=real.device)
    return drawn.repeat_interleave(len(real) // answers, 0)
