"""What the built-in architectures share: norms by name, and a head that can be conditional."""

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
    """Features to logits; with classes, a projection (Miyato & Koyama 2018, equation 3).

    D(x, y) = w . f(x) + b + e_y . f(x), with a learned vector e_y for each class.
    """

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)
        self.classes = nn.Embedding(classes, features) if classes else None
        if self.classes is not None:  # PyTorch's N(0, 1) would drown the other term: its sum runs over all features
            nn.init.xavier_uniform_(self.classes.weight)

    def forward(self, features: Tensor, y: Tensor | None) -> Tensor:
        """Map (N, features) and (N,) classes to (N,) logits."""
        logits = self.linear(features).squeeze(1)  # (N, 1) -> (N,)
        if self.classes is not None and y is not None:
            logits = logits + (self.classes(y) * features).sum(1)
        return logits
