"""Checks of how an architecture's networks behave, pass by pass."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganzoo.errors import one_line
from ganzoo.params import label
from ganzoo.testing.check import BrokenClaimError, Check, NotTried, check, require, some
from ganzoo.testing.networks import ARCHITECTURE, COUNT, build, few, parts, pass_through
from ganzoo.testing.state import compare, finite, gradients, held, no_global_randomness, stir, unchanged
from ganzoo.testing.subject import Subject


@check(
    "latents", ARCHITECTURE, "behaviour", fix="let the generator's images depend on z, and on y where setting.classes"
)
def _images_depend_on_latents_and_classes(subject: Subject) -> None:
    """A generator that does not listen to its latents draws one image, and to its classes one class."""
    for setting in few(subject):
        made = build(subject, setting)
        stir([made.generator])
        with torch.no_grad():
            z = torch.randn(1, made.latent).expand(2, -1)
            y = torch.tensor([0, 1]) if setting.classes else None
            images = made.generator.eval()(z if setting.classes else torch.randn(2, made.latent), y)
        of = "classes" if setting.classes else "latents"
        require(not torch.equal(images[0], images[1]), f"two {of} give the same image")


@check(
    "gradients", ARCHITECTURE, "behaviour", fix="use every parameter in forward, without detach(), item() or no_grad()"
)
def _gradients_reach_all_weights(subject: Subject) -> None:
    """A weight that no gradient reaches is never trained."""
    for setting in few(subject):
        made = build(subject, setting)
        stir(list(parts(made).values()))
        pass_through(made, setting)["logits"].sum().backward()
        for part, network in parts(made).items():
            slopes = gradients(network)
            unreached = [name for name, slope in slopes.items() if slope is None]
            require(not unreached, f"no gradient reaches the {part}'s {some(unreached)}")
            finite(
                {f"the gradient of the {part}'s {name}": slope for name, slope in slopes.items() if slope is not None}
            )


@check(
    "double-backward",
    ARCHITECTURE,
    "behaviour",
    fix="use what PyTorch differentiates twice, of attention sdpa_kernel(SDPBackend.MATH), and no detach()",
)
def _penalties_can_be_differentiated(subject: Subject) -> None:
    """Gradient penalties differentiate the norm of the discriminator's gradient."""
    (setting, *_) = few(subject)
    made = build(subject, setting)
    images = torch.randn(COUNT, *setting.shape).requires_grad_()
    logits = made.head(made.body(images), None)
    (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    require(slope.requires_grad or not slope.any(), "the discriminator's gradient cannot be differentiated")
    if slope.requires_grad:
        slope.square().sum().backward()
        weights = gradients(nn.ModuleList([made.body, made.head]))
        finite({f"the second derivative of {name}": slope for name, slope in weights.items() if slope is not None})


@check(
    "inputs-kept",
    ARCHITECTURE,
    "behaviour",
    fix="write x = x + bias instead of x += bias, and no inplace=True on inputs",
)
def _inputs_are_not_changed(subject: Subject) -> None:
    """Latents and images are used again after the pass, by losses and by tricks."""
    for setting in few(subject):
        made = build(subject, setting)
        with torch.no_grad():
            z, y = torch.randn(COUNT, made.latent), torch.arange(COUNT) if setting.classes else None
            images = torch.randn(COUNT, *setting.shape)
            with unchanged(z=z, y=y):
                made.generator(z, y)
            with unchanged(images=images):
                features = made.body(images)
            with unchanged(features=features):
                made.head(features, y)


@check(
    "deterministic",
    ARCHITECTURE,
    "behaviour",
    fix="draw from torch's generator alone and never seed it; in eval mode draw nothing, and keep noise in a buffer",
)
def _equal_seeds_give_equal_networks(subject: Subject) -> None:
    """A run is a function of its seed: the same seed builds the same weights and draws the same images."""
    for setting in few(subject):
        first, second = build(subject, setting), build(subject, setting)
        for part in parts(first):
            states = (getattr(first, part).state_dict(), getattr(second, part).state_dict())
            compare(*states, f"of two networks from one seed the {part}'s")
        for network in (*parts(first).values(), *parts(second).values()):
            network.eval()
        with torch.no_grad():
            found = (pass_through(first, setting), pass_through(second, setting), pass_through(first, setting))
        compare(found[0], found[2], "of two passes in eval mode the")
        compare(found[0], found[1], "of two networks from one seed the")
        other = build(subject, setting, seed=1)
        pairs = [(getattr(first, part).state_dict(), getattr(other, part).state_dict()) for part in parts(first)]
        same = all(torch.equal(one[key], two[key]) for one, two in pairs for key in one)
        require(not same, "two seeds give the same weights: runs over several seeds would tell nothing of their spread")


@check("own-randomness", ARCHITECTURE, "behaviour", fix="use torch's functions instead of random's and numpy.random's")
def _foreign_generators_stay(subject: Subject) -> None:
    """Python's and NumPy's generators are in no checkpoint: a resumed run would end with other numbers."""
    for setting in few(subject):
        with no_global_randomness(torch_too=False):
            pass_through(build(subject, setting), setting)


@check("state", ARCHITECTURE, "behaviour", fix="keep what a pass depends on in parameters and register_buffer(...)")
def _weights_are_all_of_the_state(subject: Subject) -> None:
    """Checkpoints and published weights hold the state_dict: what is kept elsewhere is lost."""
    for setting in few(subject):
        first, second = build(subject, setting, seed=0), build(subject, setting, seed=1)
        stir(list(parts(first).values()))
        with torch.no_grad():
            pass_through(first, setting)  # moves the statistics of norms
        for name, network in parts(second).items():
            network.load_state_dict(getattr(first, name).state_dict())
            network.eval()
            getattr(first, name).eval()
        with torch.no_grad():
            compare(pass_through(first, setting), pass_through(second, setting), "with the same state_dict the")


@check("one-by-one", ARCHITECTURE, "behaviour", fix="in eval mode use running statistics, and nothing of the batch")
def _images_do_not_depend_on_their_batch(subject: Subject) -> None:
    """Scores would depend on how many images are drawn at a time."""
    for setting in few(subject):
        made = build(subject, setting)
        stir([made.generator])
        generator = made.generator.eval()
        z, y = torch.randn(COUNT, made.latent), torch.arange(COUNT) if setting.classes else None
        # Stirred weights may make much of rounding, which float64 has hardly any of; a dependence stays
        same = any(_draws_one_by_one(generator.to(dtype), z.to(dtype), y) for dtype in (torch.float32, torch.float64))
        require(same, "in eval mode an image depends on the others that are drawn with it")


def _draws_one_by_one(generator: nn.Module, z: Tensor, y: Tensor | None) -> bool:
    """Whether images drawn one by one are those drawn together."""
    with torch.no_grad():
        together = generator(z, y)
        alone = torch.cat([generator(z[i : i + 1], None if y is None else y[i : i + 1]) for i in range(len(z))])
    largest = max(1.0, together.abs().max().item())  # pixels as large as 1e8 have been seen
    return torch.allclose(together, alone, atol=1e-2 * largest)


@check("options", ARCHITECTURE, "behaviour", fix="build what each choice promises, or take it out of the choices")
def _every_option_builds(subject: Subject) -> None:
    """A norm or switch that the spec offers, and the plan may pick, has to work."""
    for one in subject.options():
        for setting in list(few(one))[:1]:
            try:
                made = build(one, setting)
                stir(list(parts(made).values()))
                found = pass_through(made, setting)
                found["logits"].sum().backward()
            except Exception as error:
                raise BrokenClaimError(f"{label(one.component.name, one.params)}: {one_line(error)}") from error
            require(
                found["images"].shape == (COUNT, *setting.shape), f"{label(one.component.name, one.params)}: shapes"
            )
            finite({f"{what} of {label(one.component.name, one.params)}": value for what, value in found.items()})


@check("memory", ARCHITECTURE, "behaviour", fix="keep no tensors or lists from one pass to the next")
def _memory_does_not_grow(subject: Subject) -> None:
    """A run takes 100,000 passes: what each leaves behind fills the memory."""
    (setting, *_) = few(subject)
    made = build(subject, setting)

    def step() -> None:
        with torch.no_grad():
            pass_through(made, setting)

    held(step)


@check(
    "cuda",
    ARCHITECTURE,
    "behaviour",
    fix="make new tensors with device=x.device, and keep others in register_buffer(...)",
)
def _networks_move_to_a_gpu(subject: Subject) -> None:
    """Networks are built on the CPU and moved: what does not move with them fails there."""
    if not torch.cuda.is_available():
        raise NotTried("PyTorch finds no CUDA device here")
    for setting in few(subject):
        made = build(subject, setting)
        for network in parts(made).values():
            network.cuda()
        z, y = torch.randn(COUNT, made.latent).cuda(), torch.arange(COUNT).cuda() if setting.classes else None
        images = made.generator(z, y)
        finite({"logits on the GPU": made.head(made.body(images), y)})


CHECKS: tuple[Check, ...] = (
    _images_depend_on_latents_and_classes,
    _gradients_reach_all_weights,
    _penalties_can_be_differentiated,
    _inputs_are_not_changed,
    _equal_seeds_give_equal_networks,
    _foreign_generators_stay,
    _weights_are_all_of_the_state,
    _images_do_not_depend_on_their_batch,
    _every_option_builds,
    _memory_does_not_grow,
    _networks_move_to_a_gpu,
)
