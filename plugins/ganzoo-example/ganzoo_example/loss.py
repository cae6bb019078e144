"""f-GAN: games that estimate an f-divergence (Nowozin et al. 2016)."""

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from ganzoo.api import Loss, Step, Terms
from ganzoo_example.spec import FGANParams

# Table 2: the output activation g_f(v), and the conjugate f* of what it gives, f*(g_f(v)).
DIVERGENCES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "pearson": (lambda v: v, lambda v: v.square() / 4 + v),
    "kl": (lambda v: v, lambda v: (v - 1).exp()),
    "gan": (logsigmoid, softplus),  # f*(t) = -log(1 - exp(t))
}


class FGAN(Loss[FGANParams]):
    """Section 2.4, with v the logits: a lower bound of the divergence, which the discriminator makes tight."""

    def discriminator(self, step: Step) -> Terms:
        """-E[g_f(v(x))] + E[f*(g_f(v(G(z))))]."""
        real, fake = step.judge(step.real).logits, step.judge(step.fake).logits
        g_f, conjugate = DIVERGENCES[self.params.divergence]
        return {"real": -g_f(real).mean(), "fake": conjugate(fake).mean()}

    def generator(self, step: Step) -> Terms:
        """-E[g_f(v(G(z)))], the update of section 3.2, which does not saturate."""
        g_f, _ = DIVERGENCES[self.params.divergence]
        return {"fake": -g_f(step.judge(step.fake).logits).mean()}
