"""InfoGAN (Chen, Duan, Houthooft, Schulman, Sutskever & Abbeel 2016)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from ganzoo.api import Networks, Player, Setting, Step, Terms, Trick
from ganzoo_infogan.spec import InfoGANParams


class InfoGAN(Trick[InfoGANParams]):
    """Both players raise L_I(G, Q) = E[log Q(c | G(z, c))] + H(c), a lower bound of I(c; G(z, c)) (equation 5).

    A latent is (categorical codes, one-hot | continuous codes | noise). Q reads the codes of a generated image from the
    discriminator's features. Equation 6 has G and Q minimise V(D, G) - lambda L_I and D maximise V; but Q shares all
    of D's body, so the authors' release puts L_I in both objectives and Q among the discriminator's weights. So does
    this: the discriminator's step trains the body and Q on it, and the generator's step G alone.
    """

    def wrap(self, networks: Networks, setting: Setting) -> Networks:
        """Check that the codes have room in the latent.

        Raises:
            ValueError: they have not.
        """
        if networks.latent < self.params.length:
            raise ValueError(
                f"infogan: its codes take {self.params.length} entries of a latent that has {networks.latent}; "
                "give the architecture a longer latent or the trick fewer codes"
            )
        return networks

    def modules(self, networks: Networks, setting: Setting) -> Mapping[Player, nn.Module]:
        """Add Q."""
        self.Q = Recognition(networks.features, self.params)
        return {"discriminator": self.Q}

    def latent(self, z: Tensor, rng: Generator) -> Tensor:
        """Put codes in place of the first entries of z (N, latent), and noise in place of the rest."""
        params, count = self.params, len(z)
        c = torch.randint(params.categories, (count, params.categorical), generator=rng, device=rng.device)
        one_hot = F.one_hot(c, params.categories).flatten(1)  # (N, codes) -> (N, codes, K) -> (N, codes*K)
        rest = torch.rand(count, z.shape[1] - params.one_hot, generator=rng, device=rng.device) * 2 - 1
        if params.noise == "normal":
            rest = torch.cat([rest[:, : params.continuous], z[:, params.length :]], 1)
        return torch.cat([one_hot.to(z.dtype), rest], 1)

    def discriminator(self, step: Step) -> Terms:
        """-lambda L_I, which trains Q and the discriminator's body."""
        return self._terms(step)

    def generator(self, step: Step) -> Terms:
        """-lambda L_I, which makes the generator's images reveal their codes."""
        return self._terms(step)

    def _terms(self, step: Step) -> Terms:
        """Return the bound for either kind of codes, negative and weighted, in nats."""
        params, features = self.params, step.judge(step.fake).features
        categorical, continuous = self.Q(features, step.latent[:, : params.length])
        terms: Terms = {}
        if params.categorical:
            terms["categorical"] = -params.weight * (categorical + params.categorical * math.log(params.categories))
        if params.continuous:
            terms["continuous"] = -params.continuous_weight * (continuous + params.continuous * math.log(2))
        return terms


class Recognition(nn.Module):
    """Q(c|x): the features, one hidden layer, then log-odds for categorical codes and normals for continuous ones."""

    def __init__(self, features: int, params: InfoGANParams) -> None:
        """Build the hidden layer of the paper's appendix C, with the first weights of the release."""
        super().__init__()
        self.params = params
        self.outputs = [params.one_hot, *[params.continuous] * (2 if params.learn_sd else 1)]
        hidden = nn.Linear(features, 128, bias=False)  # the norm behind it has one
        output = nn.Linear(128, sum(self.outputs))
        for layer in (hidden, output):
            nn.init.normal_(layer.weight, 0.0, 0.02)
        nn.init.zeros_(output.bias)
        self.layers = nn.Sequential(hidden, nn.BatchNorm1d(128), nn.LeakyReLU(0.1), output)

    def forward(self, features: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return E[log Q(c|x)] over the batch, of categorical and of continuous codes.

        Args:
            features: (N, features), of the images.
            codes: (N, length), that these were generated from.
        """
        kinds = (self.params.categorical, self.params.categories)
        one_hot, c = codes.split([self.params.one_hot, self.params.continuous], 1)
        log_odds, mu, *learned = self.layers(features).split(self.outputs, 1)
        log_q = log_odds.unflatten(1, kinds).log_softmax(2)  # (N, codes*K) -> (N, codes, K)
        categorical = (one_hot.unflatten(1, kinds) * log_q).sum((1, 2))
        log_var = learned[0] if learned else torch.zeros_like(mu)
        continuous = -((c - mu).square() / log_var.exp() + log_var + math.log(2 * math.pi)).sum(1) / 2
        return categorical.mean(), continuous.mean()
