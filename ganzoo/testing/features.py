"""Checks of a feature network: what scores rely on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from ganzoo.api import Extracted
from ganzoo.errors import GanzooError, IncompatibleError, WeightsError
from ganzoo.evaluate.scorer import extract, score
from ganzoo.params import label
from ganzoo.testing.check import Check, NotTried, check, require
from ganzoo.testing.state import compare, held, no_global_randomness, unchanged
from ganzoo.testing.subject import Subject

EXTRACTOR = ("extractor",)
SHAPES = ((1, 8, 8), (1, 28, 28), (3, 32, 32))
COUNT = 8


def built(subject: Subject) -> Any:
    """Build the network; NotTried where its weights, or what it needs to be built, are not on this machine."""
    try:
        return subject.target(subject.params)
    except (WeightsError, ImportError) as error:
        raise NotTried(f"it cannot be built here: {error}") from None


def inputs(subject: Subject) -> Iterator[Tensor]:
    """Yield batches of random images of several shapes, or of points where it looks at points."""
    rng = torch.Generator().manual_seed(0)
    if "points" in subject.chosen.provides:
        yield torch.rand(COUNT, 2, 1, 1, generator=rng) * 2 - 1
        return
    for shape in SHAPES:
        yield torch.randint(0, 256, (COUNT, *shape), generator=rng, dtype=torch.uint8)


def served(subject: Subject) -> Iterator[tuple[Any, Tensor]]:
    """Yield the network with each batch that it takes; some take images of some channels alone."""
    network, refused = built(subject), ""
    taken = 0
    for images in inputs(subject):
        try:
            network(images)
        except IncompatibleError as error:
            refused = str(error)
            continue
        taken += 1
        yield network, images
    require(taken, f"it takes none of the images that are tried: {refused}")


@check(
    "identity", EXTRACTOR, "contract", fix="set sha256 to the hash of the weights, and resize to how images are resized"
)
def _says_which_network_it_is(subject: Subject) -> None:
    """Scores are compared only where they come from the very same network; its hash and resizing say so."""
    network = built(subject)
    found = getattr(network, "sha256", None)
    require(isinstance(found, str) and re.fullmatch(r"[0-9a-f]{64}", found), f"sha256 is {found!r}, not 64 hex digits")
    resize = getattr(network, "resize", None)
    require(isinstance(resize, str) and resize, f"resize is {resize!r}, not a few words")
    require(network.to("cpu") is network, "to(device) does not return the network itself")


@check(
    "shapes",
    EXTRACTOR,
    "contract",
    fix="return Extracted(features, logits, good) as ganzoo.api says, and provide their traits",
)
def _features_have_their_shapes(subject: Subject) -> None:
    """Every metric relies on these shapes, and on the traits that say which of them are there."""
    widths: set[int] = set()
    provides = subject.chosen.provides
    for network, images in served(subject):
        found = network(images)
        of = f"for images of shape {tuple(images.shape)}"
        require(isinstance(found, Extracted), f"it gives {type(found).__name__}, not ganzoo.api.Extracted")
        shape = found.features.ndim == 2 and len(found.features) == COUNT
        require(shape, f"features have shape {tuple(found.features.shape)}, not ({COUNT}, D), {of}")
        require(found.features.dtype == torch.float32, f"features are {found.features.dtype}, not float32")
        require(found.features.isfinite().all(), f"features are not finite {of}")
        require(not found.features.requires_grad, "features carry gradients; wrap the pass in torch.no_grad()")
        widths.add(found.features.shape[1])
        for trait, what, value in (("classes", "logits", found.logits), ("quality", "good", found.good)):
            told = f"{what} are {'missing' if value is None else 'there'}"
            require(
                (value is not None) == (trait in provides),
                f"{told}, and provides says {', '.join(provides) or 'nothing'}",
            )
        if found.logits is not None:
            require(
                len(found.logits) == COUNT and found.logits.ndim == 2, f"logits have shape {tuple(found.logits.shape)}"
            )
        if found.good is not None:
            require(found.good.shape == (COUNT,) and found.good.dtype == torch.bool, "good is no (N,) of bools")
    require(len(widths) == 1, f"images of several sizes give features of lengths {', '.join(map(str, sorted(widths)))}")


@check("inputs-kept", EXTRACTOR, "behaviour", fix="convert with images.float(), and change that copy")
def _images_are_not_changed(subject: Subject) -> None:
    """The same images go on to be drawn and counted."""
    for network, images in served(subject):
        with unchanged(images=images):
            network(images)


@check("deterministic", EXTRACTOR, "behaviour", fix="load fixed weights, call eval(), and draw no random numbers")
def _equal_images_give_equal_features(subject: Subject) -> None:
    """A score is a number about images: the network must say the same of them every time it is built."""
    other = built(subject)
    require(other.sha256 == built(subject).sha256, "built twice, it has two hashes")
    for network, images in served(subject):
        first, again, rebuilt = network(images), network(images), other(images)
        compare(first.features, again.features, "asked twice, what it says of an image")
        compare(first.features, rebuilt.features, "built twice, what it says of an image")


@check(
    "own-randomness",
    EXTRACTOR,
    "behaviour",
    fix="build with fixed weights; if some must be drawn, from a generator of your own",
)
def _global_generators_stay(subject: Subject) -> None:
    """Scoring in the middle of a run must not change what is drawn after it."""
    with no_global_randomness():
        network = built(subject)
        for images in inputs(subject):
            with suppress(IncompatibleError):
                network(images)


@check("one-by-one", EXTRACTOR, "behaviour", fix="call eval(), so that batch norms use their running statistics")
def _features_do_not_depend_on_their_batch(subject: Subject) -> None:
    """Scores would depend on how many images are looked at together."""
    for network, images in served(subject):
        together = network(images).features
        alone = torch.cat([network(images[i : i + 1]).features for i in range(COUNT)])
        error = (together - alone).abs().max() / together.abs().max().clamp(min=1e-6)
        require(error < 1e-3, "what it says of an image depends on the others of the batch")
        require((together != together[0]).any(), "it says the same of all images")


@check("scores", EXTRACTOR, "behaviour", fix="see what the message says of features and logits")
def _scores_are_finite(subject: Subject) -> None:
    """The Fréchet distance of two sets of images is a finite number, 0 for the same set."""
    for network, images in served(subject):
        evidence = extract(network, [images], ("fid",))
        found = score(evidence, evidence, ("fid",))["fid"]
        require(abs(found) < 1e-2 * max(1.0, float(network(images).features.var())), f"a set is {found:g} from itself")


@check("options", EXTRACTOR, "behaviour", fix="build what each choice promises, or take it out of the choices")
def _every_option_builds(subject: Subject) -> None:
    """Each choice is another network, whose scores must not be mixed up with the others'."""
    seen = {_identity(subject): label(subject.component.name, subject.params)}
    for one in subject.options():
        named = label(one.component.name, one.params)
        identity = _identity(one)
        require(identity not in seen, f"{named} and {seen.get(identity)} have the same sha256 and resize")
        seen[identity] = named


def _identity(subject: Subject) -> tuple[str, str]:
    """Return what tells a network from another; NotTried where it cannot be built here."""
    try:
        network = built(subject)
    except GanzooError as error:
        raise NotTried(str(error)) from None
    return network.sha256, network.resize


@check("memory", EXTRACTOR, "behaviour", fix="keep no tensors from one batch to the next")
def _memory_does_not_grow(subject: Subject) -> None:
    """A score passes ten thousands of images."""
    network, images = next(served(subject))
    held(lambda: network(images))


@check("cuda", EXTRACTOR, "behaviour", fix="move all tensors in to(device)")
def _moves_to_a_gpu(subject: Subject) -> None:
    """Scores of a run on a GPU are computed there."""
    if not torch.cuda.is_available():
        raise NotTried("PyTorch finds no CUDA device here")
    for network, images in served(subject):
        moved = network.to("cuda")(images.cuda()).features
        require(moved.isfinite().all(), "features are not finite on the GPU")
        network.to("cpu")


CHECKS: tuple[Check, ...] = (
    _says_which_network_it_is,
    _features_have_their_shapes,
    _images_are_not_changed,
    _equal_images_give_equal_features,
    _global_generators_stay,
    _features_do_not_depend_on_their_batch,
    _scores_are_finite,
    _every_option_builds,
    _memory_does_not_grow,
    _moves_to_a_gpu,
)
