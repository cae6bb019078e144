"""What tricks that add a statistic of the batch to the discriminator's features share."""

from __future__ import annotations

from torch import Tensor, nn


class WithStatistic(nn.Module):
    """A head whose logit gets a learned linear term of a statistic of the features.

    For a head that is one linear layer this is what the papers do: to concatenate the statistic to the features. For
    any other head the statistic enters the logit linearly.
    """

    def __init__(self, head: nn.Module, statistic: nn.Module, width: int) -> None:
        """Put the term beside a head; `statistic` maps features (N, features) to (N, width)."""
        super().__init__()
        self.head = head
        self.statistic = statistic
        self.weight = nn.Linear(width, 1, bias=False)  # the head has a bias already
        nn.init.normal_(self.weight.weight, 0.0, 0.02)  # DCGAN's: the discriminator starts close to what it was

    def forward(self, features: Tensor, y: Tensor | None) -> Tensor:
        """Map features (N, features) and classes (N,) or None to logits (N,)."""
        return self.head(features, y) + self.weight(self.statistic(features)).squeeze(1)  # (N, 1) -> (N,)
