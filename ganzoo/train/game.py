"""Build what a run trains: networks, loss and tricks, in one place for training and for loading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import Parameter

from ganzoo.api import Loss, Networks, Player, Setting, Step, Trick, Verdict
from ganzoo.errors import ContractError
from ganzoo.planning.run import Part, Run
from ganzoo.registry.lookup import build_target
from ganzoo.train.apart import norms_apart
from ganzoo.train.passes import Network, Passes, directly, generated, judged
from ganzoo.train.seeds import derive

Built = TypeVar("Built")


@dataclass
class Game:
    """The networks of a run, its loss, and its tricks in order, each with its name."""

    networks: Networks
    setting: Setting
    loss: tuple[str, Loss[Any]]
    tricks: list[tuple[str, Trick[Any]]]
    extras: dict[Player, nn.ModuleList] = field(default_factory=dict)
    """Trainable parts that tricks add, by the player that trains them."""
    bf16: bool = False
    """Run the generator and the discriminator's body in bfloat16, except where they are differentiated twice."""
    once: Passes = directly
    """Carries out the passes that are differentiated once."""

    def latents(self, count: int, rng: torch.Generator) -> Tensor:
        """Draw z of shape (count, latent): standard normal, then as the tricks change it."""
        z = torch.randn(count, self.networks.latent, generator=rng, device=rng.device)
        for _, trick in self.tricks:
            z = trick.latent(z, rng)
        return z

    def generate(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Map latents (N, latent), for classes (N,) where there are any, to images (N, C, H, W), float32.

        Latents ask for gradients only for images to be differentiated with respect to them, and then again.
        """
        twice = z.requires_grad and torch.is_grad_enabled()
        run, bf16 = (directly, False) if twice else (self.once, self.bf16)
        return run(generated, self.networks.generator, z, labels if self.setting.classes else None, bf16=bf16)

    def judge(self, images: Tensor, step: Step, weights: Mapping[str, Tensor] | None = None) -> Verdict:
        """Pass images (N, C, H, W) through every augmentation and the discriminator, or through it at other weights."""
        (verdict,) = self.judge_together((images,), step, weights)
        return verdict

    def judge_together(
        self, batches: Sequence[Tensor], step: Step, weights: Mapping[str, Tensor] | None = None
    ) -> list[Verdict]:
        """Pass batches of as many images each through the discriminator at once, each as `judge` would.

        Images ask for gradients only to have them differentiated again, but for those that the generator learns by.
        """
        learns = step.player == "generator"
        differentiated = any(images.requires_grad and (images.is_leaf or not learns) for images in batches)
        twice = weights is not None or differentiated
        seen = [self._augmented(images, step) for images in batches]
        labels = step.labels if self.setting.classes else None
        body: Network = self.networks.body
        head: Network = self.networks.head
        if weights is not None:
            body, head = _at(body, "body", weights), _at(head, "head", weights)
        run, bf16 = (directly, False) if twice else (self.once, self.bf16)
        if torch.compiler.is_compiling():  # the whole step, for which all has been prepared
            found = judged(body, head, seen, labels, bf16=bf16)
        else:
            with norms_apart((self.networks.body, self.networks.head), len(batches)):
                found = run(judged, body, head, seen, labels, bf16=bf16)
        verdicts = (Verdict(*one) for one in found)
        return [self._concluded(verdict, images, step) for verdict, images in zip(verdicts, batches, strict=True)]

    def _augmented(self, images: Tensor, step: Step) -> Tensor:
        for _, trick in self.tricks:
            images = trick.augment(images, step.rng)
        return images

    def _concluded(self, verdict: Verdict, images: Tensor, step: Step) -> Verdict:
        for _, trick in self.tricks:
            verdict = trick.verdict(verdict, images, step)
        return verdict

    def judging_weights(self) -> Iterator[tuple[str, Parameter]]:
        """Yield the weights of the discriminator's body and head by `part.name`."""
        for part in ("body", "head"):
            yield from getattr(self.networks, part).named_parameters(prefix=part)

    def modules(self, player: Player) -> nn.ModuleList:
        """Return all that one player trains."""
        networks = self.networks
        own = [networks.generator] if player == "generator" else [networks.body, networks.head]
        return nn.ModuleList([*own, *self.extras[player]])

    @property
    def components(self) -> list[Loss[Any] | Trick[Any]]:
        """The loss, then the tricks in order."""
        return [self.loss[1], *(trick for _, trick in self.tricks)]

    @property
    def changes_real(self) -> bool:
        """Whether any trick changes real images."""
        return any(type(trick).real is not Trick.real for _, trick in self.tricks)

    def sampler(self) -> nn.Module:
        """Return the generator to draw samples from, as the tricks choose it."""
        network = self.networks.generator
        for _, trick in self.tricks:
            network = trick.sampler(network)
        return network


def _at(network: nn.Module, part: str, weights: Mapping[str, Tensor]) -> Network:
    """Return a part of the discriminator as a function, at those of the weights that are its own."""
    own = {name.removeprefix(f"{part}."): value for name, value in weights.items() if name.startswith(f"{part}.")}
    return lambda *inputs: functional_call(network, own, inputs)


def build_game(run: Run, device: torch.device) -> Game:
    """Build the networks, loss and tricks of a run on a device.

    Args:
        run: what the plan decided; its seed decides the initial weights.
        device: where the networks are moved to; they are initialised on the CPU, so that a seed means the same weights.
    """
    torch.manual_seed(derive(run.seed, "initial weights"))
    setting = Setting(run.shape, run.classes, run.packing)
    loss_name, *trick_names = _names((run.loss, *run.tricks))
    tricks: list[tuple[str, Trick[Any]]] = [
        (name, _build(part, Trick)) for name, part in zip(trick_names, run.tricks, strict=True)
    ]
    networks = build_target(run.architecture.component)(run.architecture.typed_params, setting)
    _check(networks, run.architecture.name, setting)
    for _, trick in tricks:
        networks = trick.wrap(networks, setting)
    game = Game(networks, setting, (loss_name, _build(run.loss, Loss)), tricks)
    made = [trick.modules(networks, setting) for _, trick in tricks]
    for player in ("generator", "discriminator"):
        game.extras[player] = nn.ModuleList([modules[player] for modules in made if player in modules])
        game.modules(player).to(device)
    return game


def _names(parts: Sequence[Part]) -> list[str]:
    """Return what components are called in the log: their names, or where two share one, kind and full name."""
    count = Counter(part.name for part in parts)
    return [part.name if count[part.name] == 1 else f"{part.kind}:{part.distribution}/{part.name}" for part in parts]


def _build(part: Part, contract: type[Built]) -> Built:
    built = build_target(part.component)(part.typed_params)
    if not isinstance(built, contract):
        raise ContractError(f"{part.kind} {part.name}: its target must build a ganzoo.api.{contract.__name__}")
    return built


@torch.no_grad()
def _check(networks: Networks, name: str, setting: Setting) -> None:
    """Pass two latents through fresh networks and compare every shape with the contract."""
    state = {part: [b.clone() for b in getattr(networks, part).buffers()] for part in ("generator", "body", "head")}
    z = torch.randn(2, networks.latent)
    y = torch.zeros(2, dtype=torch.int64) if setting.classes else None
    images = networks.generator(z, y)
    features = networks.body(images.repeat(1, setting.packing, 1, 1))
    logits = networks.head(features, y)
    expected = {"images": (2, *setting.shape), "features": (2, networks.features), "logits": (2,)}
    for what, tensor in (("images", images), ("features", features), ("logits", logits)):
        if tuple(tensor.shape) != expected[what]:
            raise ContractError(
                f"architecture {name}: {what} have shape {tuple(tensor.shape)}, not {expected[what]}; "
                "see Networks in ganzoo.api"
            )
    for part, buffers in state.items():
        for buffer, before in zip(getattr(networks, part).buffers(), buffers, strict=True):
            buffer.copy_(before)
