"""Passes through the networks: as they are, in bfloat16, or compiled into fewer and larger kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from ganzoo.errors import one_line
from ganzoo.train.combined import combining
from ganzoo.train.computed import computed, computed_weights, given
from ganzoo.train.lanes import replaced

RECOMPILATIONS = 512
"""Of a pass, in one process: networks of all its runs, each with and without gradients for its weights."""
Result = TypeVar("Result")
Network = Callable[..., Tensor]
"""A network, or a function that computes what one does."""


def generated(generator: Network, z: Tensor, labels: Tensor | None, bf16: bool) -> Tensor:
    """Map latents (N, latent), for classes (N,) where there are any, to images (N, C, H, W), float32."""
    with torch.autocast(z.device.type, torch.bfloat16) if bf16 else nullcontext():
        images = generator(z, labels)
    return images.float() if bf16 else images


def judged(
    body: Network, head: Network, batches: Sequence[Tensor], labels: Tensor | None, bf16: bool
) -> list[tuple[Tensor, Tensor]]:
    """Return the logits (N,) and features (N, F) of batches of as many images, for the same classes, from one pass.

    Only the body runs in bfloat16. What is returned is float32, and the logits may be changed in place.
    """
    count = len(batches)
    images = batches[0] if count == 1 else torch.cat(list(batches))
    with torch.autocast(images.device.type, torch.bfloat16) if bf16 else nullcontext():
        features = body(images)
    features = features.float() if bf16 else features
    logits = head(features, labels if labels is None or count == 1 else labels.repeat(count))
    if count == 1:
        return [(logits, features)]
    return [(a.clone(), b.clone()) for a, b in zip(logits.chunk(count), features.chunk(count), strict=True)]


class Passes(Protocol):
    """How `generated` and `judged` are carried out."""

    def __call__(self, function: Callable[..., Result], *among: Any, bf16: bool) -> Result:
        """Return what a function of networks and tensors returns."""
        ...


def directly(function: Callable[..., Result], *among: Any, bf16: bool) -> Result:
    """Call the function; weights are computed before, since power iteration in bfloat16 would find another value."""
    if not bf16:
        return function(*among, bf16=bf16)
    weights = computed_weights(among)
    with given(weights, [weight() for weight in weights]):
        return function(*among, bf16=bf16)


def inductor(module: torch.fx.GraphModule, inputs: Sequence[Any]) -> Callable[..., Any]:
    """Compile by TorchInductor with our decompositions of products; cached graphs would come without them."""
    from torch._functorch import config as keeping  # noqa: PLC0415  (they take seconds)
    from torch._inductor.compile_fx import compile_fx  # noqa: PLC0415
    from torch._inductor.decomposition import select_decomp_table  # noqa: PLC0415

    on_gpu = any(isinstance(one, Tensor) and one.is_cuda for one in inputs)
    patches = combining() if on_gpu else {}
    with keeping.patch(enable_autograd_cache=False):
        found: Any = compile_fx(module, inputs, config_patches=patches, decompositions=replaced(select_decomp_table()))
    return found


class Backend:
    """The compiler of the graphs that PyTorch traces; it counts them."""

    made = 0
    """How often something was compiled in this process."""

    def __call__(self, module: torch.fx.GraphModule, inputs: Sequence[Any]) -> Callable[..., Any]:
        """Compile a graph."""
        self.made += 1
        return inductor(module, inputs)


backend = Backend()


def compiled(function: Callable[..., Result]) -> Callable[..., Result]:
    """Return a function compiled as a whole, or not at all; runs of a process share what fits several."""
    return torch.compile(function, backend=backend, dynamic=False, fullgraph=True)


class Compiled:
    """Compiles a function when it meets new networks; once one cannot be compiled, none is any more.

    What is compiled can be differentiated once.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        """Compile nothing yet; `tell` is told why networks are not compiled, once, where they are not."""
        from torch._dynamo import config as tracing  # noqa: PLC0415
        from torch._inductor import config as compiling  # noqa: PLC0415

        tracing.cache_size_limit = tracing.accumulated_cache_size_limit = RECOMPILATIONS
        tracing.fail_on_cache_limit_hit = True  # an error, which we report; PyTorch would go on in silence
        tracing.skip_nnmodule_hook_guards = False  # a run without hooks shares what it compiles with one that has some
        compiling.fallback_random = True  # dropout draws what it draws elsewhere
        self.compiled: dict[Callable[..., Any], Callable[..., Any]] = {}
        self.tell = tell
        self.failed = False
        self.resting = False
        """Whether passes are not compiled for a while."""

    def __call__(self, function: Callable[..., Result], *among: Any, bf16: bool) -> Result:
        """Return what a function of networks and tensors returns."""
        if self.failed or self.resting:
            return directly(function, *among, bf16=bf16)
        with self.computing(among):
            return self.called(function, *among, bf16=bf16)

    @contextmanager
    def computing(self, among: Iterable[Any]) -> Iterator[None]:
        """Compute the networks' computed weights, for one pass; their buffers change where the pass succeeds."""
        weights = computed_weights(among)
        values, after = self.called(computed, weights) if weights else ([], [])
        with given(weights, values):
            yield
        if after:
            with torch.no_grad():
                before = [buffer for weight in weights for buffer in weight.buffers()]
                torch._foreach_copy_(before, after)  # pyright: ignore[reportPrivateImportUsage]

    def called(self, function: Callable[..., Result], *among: Any, **named: Any) -> Result:
        """Return a function's result; if it cannot be compiled, nothing is compiled from then on."""
        if self.failed:
            return function(*among, **named)
        if function not in self.compiled:
            self.compiled[function] = compiled(function)
        try:
            return self.compiled[function](*among, **named)
        except torch.OutOfMemoryError:  # of what is compiled, and may have changed state by then
            raise
        except Exception as error:  # no compiler, or whatever a network does that it cannot follow
            result = function(*among, **named)
            self.failed = True
            self.tell(f"networks are not compiled: {one_line(error)[:300]}")
            return result
