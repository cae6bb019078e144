"""Passes through the networks: as they are, in bfloat16, or compiled into fewer and larger kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.parametrize import ParametrizationList

from ganzoo.errors import one_line

RECOMPILATIONS = 512
"""Of a pass, in one process: networks of all its runs, each with and without gradients for its weights."""
Result = TypeVar("Result")
Network = Callable[..., Tensor]


def generated(generator: Network, z: Tensor, labels: Tensor | None, bf16: bool) -> Tensor:
    """Map latents (N, latent), for classes (N,) where there are any, to images (N, C, H, W), float32."""
    with torch.autocast(z.device.type, torch.bfloat16, enabled=bf16):
        images = generator(z, labels)
    return images.float() if bf16 else images


def judged(
    body: Network, head: Network, batches: Sequence[Tensor], labels: Tensor | None, bf16: bool
) -> list[tuple[Tensor, Tensor]]:
    """Return the logits (N,) and features (N, F) of batches of as many images, for the same classes, from one pass.

    Only the body runs in bfloat16. What is returned is float32 and may be changed in place.
    """
    count = len(batches)
    images = batches[0] if count == 1 else torch.cat(list(batches))
    with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
        features = body(images)
    features = features.float() if bf16 else features
    logits = head(features, labels if labels is None or count == 1 else labels.repeat(count))
    if count == 1:
        return [(logits, features)]
    return [(a.clone(), b.clone()) for a, b in zip(logits.chunk(count), features.chunk(count), strict=True)]


class Passes(Protocol):
    """How `generated` and `judged` are carried out."""

    def __call__(self, function: Callable[..., Result], *given: Any, bf16: bool) -> Result:
        """Return what a function of networks and tensors returns."""
        ...


def directly(function: Callable[..., Result], *given: Any, bf16: bool) -> Result:
    """Call the function."""
    if not bf16:
        return function(*given, bf16=bf16)
    weights = computed_weights(given)
    with _given(weights, [weight() for weight in weights]):
        return function(*given, bf16=bf16)


class Computed(ParametrizationList):
    """A weight that is computed from others, such as spectral norm's; while it is given, it is not computed.

    It is given to what runs in bfloat16, in which power iteration would not find the largest singular value.
    """

    given: Tensor | None = None

    def forward(self) -> Tensor:
        """Return the weight."""
        return super().forward() if self.given is None else self.given


def computed_weights(given: Iterable[Any]) -> list[Computed]:
    """Return the weights that the networks among these compute from others, which can be given from now on."""
    found: list[Computed] = []
    for network in (one for one in given if isinstance(one, nn.Module)):
        for module in network.modules():
            if isinstance(module, ParametrizationList):
                module.__class__ = Computed
                found.append(cast("Computed", module))
    return found


@contextmanager
def _given(weights: list[Computed], values: list[Tensor]) -> Iterator[None]:
    for weight, value in zip(weights, values, strict=True):
        weight.given = value
    try:
        yield
    finally:
        for weight in weights:
            weight.given = None


def _pure(weights: list[Computed]) -> tuple[list[Tensor], list[Tensor]]:
    """Return computed weights and what their buffers become, and change nothing.

    What is compiled must not keep a vector for its gradient that it changes, as the second pass would change it again.
    """
    values: list[Tensor] = []
    after: list[Tensor] = []
    for weight in weights:
        buffers = {name: buffer.clone() for name, buffer in weight.named_buffers()}
        values.append(functional_call(weight, buffers, ()))
        after += buffers.values()
    return values, after


class Compiled:
    """Compiles a function when it meets networks; calls it as it is from the first that cannot be compiled.

    What is compiled can be differentiated once.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        """Compile nothing yet; `tell` is told why networks are not compiled, once, where they are not."""
        from torch._dynamo import config as tracing  # noqa: PLC0415  (they take seconds)
        from torch._inductor import config as compiling  # noqa: PLC0415

        tracing.cache_size_limit = tracing.accumulated_cache_size_limit = RECOMPILATIONS
        tracing.fail_on_cache_limit_hit = True  # and tell, where all the rest would go on uncompiled in silence
        compiling.fallback_random = True  # dropout draws what it draws elsewhere
        self.compiled: dict[Callable[..., Any], Callable[..., Any]] = {
            one: torch.compile(one, dynamic=False) for one in (generated, judged, _pure)
        }
        """By what is compiled; runs of a process share what fits several."""
        self.tell = tell
        self.failed = False

    def __call__(self, function: Callable[..., Result], *given: Any, bf16: bool) -> Result:
        """Return what a function of networks and tensors returns."""
        if self.failed:
            return directly(function, *given, bf16=bf16)
        weights = computed_weights(given)
        with _given(weights, self._computed(weights)):
            return self._tried(function, *given, bf16=bf16)

    def _computed(self, weights: list[Computed]) -> list[Tensor]:
        """Return computed weights, and set their buffers."""
        if not weights:
            return []
        values, after = self._tried(_pure, weights)
        if after:
            with torch.no_grad():
                before = [buffer for weight in weights for buffer in weight.buffers()]
                torch._foreach_copy_(before, after)  # pyright: ignore[reportPrivateImportUsage]
        return values

    def _tried(self, function: Callable[..., Result], *given: Any, **named: Any) -> Result:
        """Return what a function returns; where it cannot be compiled, none is from then on."""
        if self.failed:
            return function(*given, **named)
        try:
            return self.compiled[function](*given, **named)
        except Exception as error:  # no compiler, or whatever a network does that it cannot follow
            result = function(*given, **named)
            self.failed = True
            self.tell(f"networks are not compiled: {one_line(error)[:300]}")
            return result
