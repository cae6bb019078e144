"""What the gradient penalties share: a gradient for each answer of the critic, and points between real and fake."""

import torch
from torch import Tensor

from ganzoo.api import Step


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
    """Return points (N, C, H, W), uniform on the lines between real and fake images (Gulrajani et al. 2017).

    Images that are judged together are one point in the critic's space, and share their place on the line.
    """
    real, fake = step.real, step.fake
    answers = len(step.targets.real)  # N / packing
    epsilon = torch.rand(answers, 1, 1, 1, generator=step.rng, device=real.device)
    return torch.lerp(fake, real, epsilon.repeat_interleave(len(real) // answers, 0)).requires_grad_()
