"""The contracts leave room for the GANs that follow: what StyleGAN2, ProGAN and BigGAN need most, in small."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional as F
from zoo import fresh_step, trainer

from ganzoo.api import Networks, NoParams, Setting, Trick
from ganzoo.train.step import generator_terms

SHORT = {"steps": 8, "batch_size": 8}


def with_trick(kind: type[Trick], **request):
    """A trainer with one more trick, which has wrapped the networks; its own weights stand where they are."""
    one = trainer(recipe=SHORT, **request)
    made, game = kind(NoParams()), one.game
    game.networks = made.wrap(game.networks, game.setting)
    made.modules(game.networks, game.setting)
    game.tricks.append(("added", made))
    one.modules = {player: game.modules(player) for player in one.modules}
    return one, made


# StyleGAN2: a mapping network whose styles are mixed in training, and path-length regularisation ----------------------


class Mixed(nn.Module):
    """Takes two latents for each image: the second decides the later layers, in training and for half of the images."""

    def __init__(self, generator: nn.Module, latent: int) -> None:
        super().__init__()
        self.generator, self.mapping = generator, nn.Linear(latent, latent)

    def forward(self, z, y):
        first, second = self.mapping(z.unflatten(1, (2, -1))).unbind(1)  # (N, 2 latent) -> 2 of (N, latent)
        images = self.generator(first, y)
        if not self.training:
            return images
        mixed = torch.arange(len(z), device=z.device) % 2 == 1
        return torch.where(mixed[:, None, None, None], (images + self.generator(second, y)) / 2, images)


class StyleMixing(Trick[NoParams]):
    def wrap(self, networks: Networks, setting: Setting) -> Networks:
        generator = Mixed(networks.generator, networks.latent)
        return replace(networks, generator=generator, latent=2 * networks.latent)


def test_a_trick_can_put_a_mapping_network_before_the_generator_and_mix_its_styles_in_training_alone():
    one, _ = with_trick(StyleMixing)
    mapping = one.game.networks.generator.mapping
    assert any(weight is mapping.weight for weight in one.modules["generator"].parameters())
    one.step()
    z = one.game.latents(4, torch.Generator().manual_seed(0))
    other = torch.cat([z[:, : len(z[0]) // 2], torch.randn(4, len(z[0]) // 2)], 1)  # another second latent
    sampler = one.game.sampler().eval()
    assert z.shape == (4, 200) and torch.equal(sampler(z, None), sampler(other, None))
    sampler.train()
    changed = (sampler(z, None) != sampler(other, None)).flatten(1).any(1)
    assert changed.tolist() == [False, True, False, True]


class PathLength(Trick[NoParams]):
    """Karras et al. 2020, equation 4, in every fourth generator step, by a pass of its own through the generator."""

    def modules(self, networks, setting):
        self.networks, self.mean = networks, torch.zeros(())
        return {}

    def generator(self, step):
        if step.number % 4:
            return {}
        z = step.latent.detach().requires_grad_()
        images = self.networks.generator(z, step.labels)
        noise = torch.randn(images.shape, generator=step.rng) / (images.shape[2] * images.shape[3]) ** 0.5
        (slope,) = torch.autograd.grad((images * noise).sum(), z, create_graph=True)
        lengths = slope.norm(dim=1)
        self.mean.lerp_(lengths.mean().detach(), 0.01)
        return {"path": 4 * 2.0 * (lengths - self.mean).square().mean()}

    def state_dict(self):
        return {"mean": self.mean}

    def load_state_dict(self, state):
        self.mean.copy_(state["mean"])


def test_path_length_regularisation_has_an_interval_of_its_own_and_trains_the_generator():
    one, trick = with_trick(PathLength)
    paid = []
    for _ in range(6):
        terms = generator_terms(one.game, fresh_step(one))
        paid.append("added/path" in terms)
        one.step()
    assert paid == [True, False, False, False, True, False]
    before = trick.mean.clone()
    one.number = 0
    generator_terms(one.game, fresh_step(one))["added/path"].backward()
    slopes = [weight.grad for weight in one.game.networks.generator.hidden.parameters()]
    assert all(slope is not None and slope.isfinite().all() for slope in slopes) and any(s.any() for s in slopes)
    restored = copy.deepcopy(trick)
    restored.load_state_dict({"mean": before})
    assert restored.mean == before != trick.mean


# ProGAN: networks that grow ------------------------------------------------------------------------------------------


class Growing(Trick[NoParams]):
    """Draws at half the side for half of the run, then fades the rest in; real images are blurred alike."""

    def __init__(self, params):
        super().__init__(params)
        self.grown = torch.zeros(())

    def schedule(self, rates, progress):
        self.grown.fill_(min(max(2 * progress.step / progress.steps - 1, 0.0), 1.0))
        return rates

    def real(self, images, rng):
        return torch.lerp(coarse(images), images, self.grown)

    def wrap(self, networks, setting):
        return replace(networks, generator=Grown(networks.generator, self))


class Grown(nn.Module):
    def __init__(self, generator, trick):
        super().__init__()
        self.generator, self.trick = generator, trick

    def forward(self, z, y):
        images = self.generator(z, y)
        return torch.lerp(coarse(images), images, self.trick.grown)


def coarse(images):
    return F.interpolate(F.avg_pool2d(images, 2), scale_factor=2, mode="nearest")


def test_networks_can_grow_with_the_progress_of_the_run_and_real_images_with_them():
    one, _ = with_trick(Growing)
    details = []
    for _ in range(8):
        one._set_rates()
        step = fresh_step(one)
        details.append([(images - coarse(images)).abs().max().item() > 1e-6 for images in (step.real, step.fake)])
        one.step()
    assert details == [[False, False]] * 5 + [[True, True]] * 3  # it begins behind the fourth of eight steps


# BigGAN: one class embedding for every layer ------------------------------------------------------------------------


class Shared(nn.Module):
    """Two layers whose gains are functions of one embedding of the class."""

    def __init__(self, generator: nn.Module, classes: int) -> None:
        super().__init__()
        self.generator, self.shared = generator, nn.Embedding(classes, 3)
        self.gains = nn.ModuleList(nn.Linear(3, 1) for _ in range(2))

    def forward(self, z, y):
        shared = self.shared(y)
        inner, outer = (gain(shared) for gain in self.gains)  # (N, 1) each
        return self.generator(z * (1 + inner), y) * (1 + outer[:, :, None, None]).clamp(0, 1)


class SharedEmbedding(Trick[NoParams]):
    def wrap(self, networks, setting):
        return replace(networks, generator=Shared(networks.generator, setting.classes))


def test_layers_can_share_one_embedding_of_the_class():
    one, _ = with_trick(SharedEmbedding, trick="projection")
    sum(generator_terms(one.game, fresh_step(one)).values()).backward()
    generator = one.game.networks.generator
    assert generator.shared.weight.grad.abs().sum() > 0
    assert all(gain.weight.grad.abs().sum() > 0 for gain in generator.gains)
