"""What the built-in architectures share: norms by name, and a head."""

from torch import Tensor, nn


def norm_2d(name: str, channels: int) -> nn.Module:
    """Return a norm over (N, channels, H, W): batch, layer (over C, H and W), instance or none."""
    if name == "batch":
        return nn.BatchNorm2d(channels)
    if name == "layer":
        return nn.GroupNorm(1, channels)  # one group: the statistics of a whole sample, an affine pair a channel
    if name == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    return nn.Identity()


def norm_1d(name: str, width: int) -> nn.Module:
    """Return a norm over (N, width): batch, layer or none."""
    if name == "batch":
        return nn.BatchNorm1d(width)
    return nn.LayerNorm(width) if name == "layer" else nn.Identity()


class Head(nn.Module):
    """Features to logits: one linear layer. How a discriminator learns of classes is a trick's business."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)

    def forward(self, features: Tensor, y: Tensor | None) -> Tensor:
        """Map (N, features) to (N,) logits."""
        return self.linear(features).squeeze(1)  # (N, 1) -> (N,)
