"""LeCam regularisation (Tseng, Jiang, Liu, Yang & Yang 2021)."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ganzoo.api import Step, Terms, Trick
from ganzoo_example.spec import LeCamParams


class LeCam(Trick[LeCamParams]):
    """Keeps the discriminator's logits on one kind of images near the average of those on the other.

    The averages are state: they live in tensors, are changed in place, and are saved and restored with the run.
    """

    def __init__(self, params: LeCamParams) -> None:
        super().__init__(params)
        self.of_real, self.of_fake = Average(params.decay), Average(params.decay)

    def discriminator(self, step: Step) -> Terms:
        """Lambda R_LC, with R_LC = E[(D(x) - alpha_F)^2] + E[(D(G(z)) - alpha_R)^2] (equation 6)."""
        real, fake = step.judge(step.real).logits, step.judge(step.fake).logits
        alpha_r, alpha_f = self.of_real.after(real), self.of_fake.after(fake)
        distance = (real - alpha_f).square().mean() + (fake - alpha_r).square().mean()
        return {"lecam": self.params.weight * distance}

    def state_dict(self) -> dict[str, Any]:
        """Return both averages."""
        return {"real": self.of_real.value, "fake": self.of_fake.value}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore both averages."""
        self.of_real.value, self.of_fake.value = state["real"].clone(), state["fake"].clone()


class Average:
    """An exponential moving average of the mean of batches, from 0 on."""

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.value = torch.zeros(())

    @torch.no_grad()
    def after(self, batch: Tensor) -> Tensor:
        """Take the mean of a batch into the average, and return that."""
        self.value = self.value.to(batch.device)
        self.value.lerp_(batch.mean(), 1 - self.decay)
        return self.value.clone()
