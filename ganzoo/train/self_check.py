"""Whether this machine's bfloat16 kernels compute what they should: some have not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import cached

from ganzoo.train.execution import Execution
from ganzoo.train.game import Game

LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
TOLERANCE = 0.02
"""Of ||bf16 - fp32|| / ||fp32||; the rounding of 8 bits leaves about 0.003, and a wrong kernel about 1."""
BATCH = 8


def checked(execution: Execution, game: Game, tell: Callable[[str], None]) -> Execution:
    """Return how to execute steps: as asked, or in float32, with a note, where bfloat16 is wrong on this machine."""
    with execution.kernels():  # with the kernels that the steps will have
        wrong = wrong_in_bfloat16(game) if execution.bf16 else ""
    if not wrong:
        return execution
    tell(f"{wrong}; the run is in float32 instead")
    return replace(execution, precision="fp32")


def wrong_in_bfloat16(game: Game) -> str:
    """Return which layer's output or gradient is wrong in bfloat16, as words; empty where all are right.

    Every layer of the generator and the discriminator's body is tried with random numbers, in the shapes that it meets
    in training, and nothing of the run is touched: its own random generators, buffers and gradients stay as they are.
    """
    device = next(game.networks.generator.parameters()).device
    rng = torch.Generator(device).manual_seed(0)
    for name, layer, shape in _met(game, device):
        x = torch.randn(BATCH, *shape[1:], generator=rng, device=device)
        for what, exact, low in zip(("output", "input's gradient", "weights' gradient"), *_both(layer, x), strict=True):
            error = (low.float() - exact).norm() / exact.norm().clamp(min=1e-12)
            if not error <= TOLERANCE:  # NaN is wrong, too
                return f"{name}, input {tuple(x.shape)}: its {what} is off by {error.item():.0%} in bfloat16"
    return ""


def _met(game: Game, device: torch.device) -> Iterator[tuple[str, nn.Module, torch.Size]]:
    """Yield every layer, by name, with the shape of its input; each is called once, in eval mode."""
    networks, setting = game.networks, game.setting
    z = torch.zeros(setting.packing, networks.latent, device=device)
    y = torch.zeros(setting.packing, dtype=torch.int64, device=device) if setting.classes else None
    images = torch.zeros(setting.packing, *setting.shape, device=device)
    for part, inputs in (("generator", (z, y)), ("body", (images,))):
        network: nn.Module = getattr(networks, part)
        found: list[tuple[str, nn.Module, torch.Size]] = []
        hooks = [
            module.register_forward_hook(
                lambda module, inputs, _, name=name, found=found: found.append((name, module, inputs[0].shape))
            )
            for name, module in network.named_modules(prefix=part)
            if isinstance(module, LAYERS)
        ]
        training = network.training
        with torch.no_grad():
            network.eval()(*inputs)
        network.train(training)
        for hook in hooks:
            hook.remove()
        yield from found


def _both(layer: nn.Module, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Return a layer's output, its input's gradient and its weights', in float32 and in bfloat16."""
    found: list[list[Tensor]] = []
    training = layer.training
    layer.eval()  # spectral norm must not update its vectors here
    with cached():
        weight = layer.weight
        assert isinstance(weight, Tensor)
        for low in (False, True):
            inputs = x.clone(memory_format=torch.preserve_format).requires_grad_()
            with torch.autocast(x.device.type, torch.bfloat16, enabled=low):
                output = layer(inputs)
            gradients = torch.autograd.grad(output.float().square().sum() / 2, (inputs, weight), retain_graph=True)
            found.append([output.detach(), *gradients])
    layer.train(training)
    return found[0], found[1]
