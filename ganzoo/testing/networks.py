"""Networks that an architecture builds, and checks that they are of the form that everything else relies on."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ganzoo.api import Networks, Setting
from ganzoo.testing.check import Check, check, require
from ganzoo.testing.rehearsal import settings
from ganzoo.testing.state import finite
from ganzoo.testing.subject import Subject

ARCHITECTURE = ("architecture",)
SHAPES = ((1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64), (2, 1, 1))
LARGE = ((3, 128, 128), (3, 256, 256), (3, 512, 512))
"""Tried where an architecture refuses all others."""
COUNT = 4
FARTHEST = 20.0
"""Beyond this, images are on another scale than [-1, 1]: in [0, 255], say."""


def accepted(subject: Subject) -> list[Setting]:
    """Return the settings that an architecture draws.

    Raises:
        BrokenClaimError: it refuses all that are tried.
    """
    found = list(settings(subject, SHAPES)) or list(settings(subject, LARGE))
    tried = ", ".join("x".join(map(str, shape)) for shape in (*SHAPES, *LARGE))
    require(found, f"it refuses every shape that is tried: {tried}")
    return found


def build(subject: Subject, setting: Setting, seed: int = 0) -> Networks:
    """Build the networks from a seed."""
    torch.manual_seed(seed)
    made = subject.target(subject.params, setting)
    require(isinstance(made, Networks), f"it builds {type(made).__name__}, which is no ganzoo.api.Networks")
    return made


def parts(networks: Networks) -> dict[str, nn.Module]:
    """Return the three networks by name."""
    return {name: getattr(networks, name) for name in ("generator", "body", "head")}


def pass_through(networks: Networks, setting: Setting) -> dict[str, Tensor]:
    """Draw four images from fixed latents and have them judged; return all that goes in and comes out."""
    rng = torch.Generator().manual_seed(0)
    z = torch.randn(COUNT, networks.latent, generator=rng)
    y = torch.arange(COUNT) % setting.classes if setting.classes else None
    images = networks.generator(z, y)
    features = networks.body(images.repeat(1, setting.packing, 1, 1))
    return {"z": z, "images": images, "features": features, "logits": networks.head(features, y)}


def written(setting: Setting) -> str:
    """Return a setting as an error names it."""
    classes = f", {setting.classes} classes" if setting.classes else ""
    packed = f", {setting.packing} packed" if setting.packing > 1 else ""
    return f"{'x'.join(map(str, setting.shape))}{classes}{packed}"


def few(subject: Subject) -> Iterator[Setting]:
    """Yield one setting without classes and, where there is one, one with; nothing is packed."""
    found = [setting for setting in accepted(subject) if setting.packing == 1 and setting.shape != (2, 1, 1)]
    found = found or accepted(subject)
    for classes in (0, 10):
        yield from [setting for setting in found if setting.classes == classes][:1]


@check(
    "shapes",
    ARCHITECTURE,
    "contract",
    fix="build for setting.shape, setting.classes and setting.packing, as Networks says",
)
def _shapes_are_those_of_the_contract(subject: Subject) -> None:
    """Every loss and trick relies on these shapes, in every setting that the spec does not refuse."""
    for setting in accepted(subject):
        made = build(subject, setting)
        y = torch.arange(COUNT) % setting.classes if setting.classes else None
        with torch.no_grad():
            images = _shaped(made.generator(torch.randn(COUNT, made.latent), y), setting.shape, "images", setting)
            features = made.body(images.repeat(1, setting.packing, 1, 1))
            _shaped(features, (made.features,), "features", setting)
            _shaped(made.head(features, y), (), "logits", setting)


def _shaped(found: Tensor, shape: tuple[int, ...], what: str, setting: Setting) -> Tensor:
    """Return what a network gave, where it has the shape and is finite."""
    require(isinstance(found, Tensor), f"{what} are {type(found).__name__}, not a tensor, for {written(setting)}")
    got, wanted = tuple(found.shape), (COUNT, *shape)
    require(got == wanted, f"{what} have shape {got}, not {wanted}, for {written(setting)}")
    finite({f"{what} for {written(setting)}": found})
    return found


@check("range", ARCHITECTURE, "contract", fix="end the generator in tanh, or map what it draws to the scale of [-1, 1]")
def _images_are_on_the_scale(subject: Subject) -> None:
    """Real images lie in [-1, 1]: on another scale the discriminator tells fakes by their brightness alone."""
    for setting in few(subject):
        images = pass_through(build(subject, setting), setting)["images"]
        low, high = images.min().item(), images.max().item()
        require(max(-low, high) < FARTHEST, f"pixels reach from {low:.3g} to {high:.3g}")
        require(low < 0 or high <= 0, f"no pixel is below 0 (from {low:.3g} to {high:.3g}), as if 0 were black")


CHECKS: tuple[Check, ...] = (_shapes_are_those_of_the_contract, _images_are_on_the_scale)
