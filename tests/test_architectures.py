"""The built-in architectures: their published sizes and layers, gradients of both orders, classes, packing, refusals.

Parameter counts are those of the networks named, counted once from their code or read from their training logs:
mimicry (github.com/kwotsin/mimicry), StudioGAN (github.com/POSTECH-CVLab/PyTorch-StudioGAN), pytorch-gan-collections
(github.com/w86763777/pytorch-gan-collections), and the summary that TensorFlow's tutorial prints.
"""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from zoo import component, networks, trainer

import ganzoo
from ganzoo.api import Networks, Setting
from ganzoo.errors import IncompatibleError
from ganzoo.registry.lookup import installed
from ganzoo.zoo.architectures.parts import ConditionalBatchNorm, DoublingConv2d, HalvingConv2d
from ganzoo.zoo.architectures.resnet import Residual
from ganzoo.zoo.architectures.sagan import SelfAttention

NARROW = {"resnet": {"width": 2, "critic_width": 2}, "sagan": {"width": 4, "critic_width": 8}}
SIDES = {"dcgan28": (28,), "sndcgan": (8, 32, 48), "resnet": (32, 48, 64, 128), "sagan": (32, 64, 128)}
SMALLEST = [(name, sides[0]) for name, sides in SIDES.items()]
EVERY = [("mlp", 8), *SMALLEST]


def small(name: str, setting: Setting, **values) -> Networks:
    """An architecture as narrow as it can be."""
    return networks(name, setting, **NARROW.get(name, {}), **values)


def count(*modules: nn.Module) -> int:
    return sum(weight.numel() for module in modules for weight in module.parameters())


def weights(*modules: nn.Module) -> dict[str, nn.Parameter]:
    """Weights without biases and norms, which a batch norm behind them makes idle; by name."""
    return {f"{i}.{name}": w for i, m in enumerate(modules) for name, w in m.named_parameters() if w.ndim > 1}


def attend(made: Networks) -> None:
    """Set the gammas of all attention to 1; at 0, where they start, they keep gradients from it."""
    for module in (*made.generator.modules(), *made.body.modules()):
        if isinstance(module, SelfAttention):
            nn.init.ones_(module.gamma)


# What all of them have in common -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "side"), [(name, side) for name, sides in SIDES.items() for side in sides])
def test_each_fits_the_sides_that_it_names(name, side):
    setting = Setting((1, side, side), packing=2)
    made = small(name, setting)
    images = made.generator(torch.randn(2, made.latent), None)
    assert images.shape == (2, 1, side, side) and images.abs().max() <= 1
    features = made.body(images.repeat(1, 2, 1, 1))
    assert features.shape == (2, made.features)
    assert made.head(features, None).shape == (2,)


@pytest.mark.parametrize("side", [8, 20, 36])
@pytest.mark.parametrize("name", ["dcgan28", "resnet", "sagan"])
def test_others_are_refused_with_a_reason(name, side):
    refuse, params = (getattr(installed().get("architecture", name).usable_spec, what) for what in ("refuse", "params"))
    assert f"not {side}x{side}" in refuse(params(), Setting((3, side, side)))
    assert f"not {side}x32" in refuse(params(), Setting((3, side, 32)))


def test_sndcgan_refuses_sides_that_are_no_eightfold():
    with pytest.raises(IncompatibleError, match="multiple of 8 from 8 to 128, not 28x28"):
        ganzoo.plan(model="sndcgan", loss="hinge", dataset="mnist")


def test_sagan_attends_over_powers_of_two_only():
    with pytest.raises(IncompatibleError, match="side 8, 16, 32 or 64, not 12"):
        ganzoo.plan(model="sagan:attention=12", loss="hinge", dataset="cifar10")


@pytest.mark.parametrize("classes", [0, 4])
@pytest.mark.parametrize(("name", "side"), EVERY)
def test_gradients_reach_every_weight(name, side, classes):
    made = small(name, Setting((3, side, side), classes))
    attend(made)
    z, y = torch.randn(8, made.latent), torch.arange(8) % 4 if classes else None
    logits = made.head(made.body(made.generator(z, y)), y)
    (logits * torch.randn(8)).sum().backward()
    for module in (made.generator, made.body, made.head):
        assert all(weight.grad is not None for weight in module.parameters())
    assert all(weight.grad.any() for weight in weights(made.generator, made.body, made.head).values())


@pytest.mark.parametrize(("name", "side"), EVERY)
def test_critics_can_be_differentiated_twice(name, side):
    """As gradient penalties do: the images' gradient, then the weights' gradient of its norm."""
    made = small(name, Setting((3, side, side)), **({"critic_norm": "layer"} if name == "resnet" else {}))
    attend(made)
    images = torch.randn(4, 3, side, side, requires_grad=True)
    (slope,) = torch.autograd.grad(made.head(made.body(images), None).sum(), images, create_graph=True)
    (slope.flatten(1).norm(dim=1) - 1).square().mean().backward()
    for label, weight in weights(made.body, made.head).items():
        assert weight.grad is not None and weight.grad.any() and weight.grad.isfinite().all(), label


@pytest.mark.parametrize(("name", "side"), EVERY)
def test_generators_listen_to_the_class_once_their_class_weights_differ(name, side):
    made = small(name, Setting((1, side, side), 3))
    for module in made.generator.modules():
        if isinstance(module, ConditionalBatchNorm) and module.gain is not None:
            nn.init.normal_(module.gain)  # which starts at 1 for all classes
    z = torch.randn(1, made.latent).expand(3, -1)
    images = made.generator.eval()(z, torch.tensor([0, 1, 1]))
    assert not torch.allclose(images[0], images[1]) and torch.allclose(images[1], images[2])


@pytest.mark.parametrize("loss", ["hinge", "wgan-gp"])
@pytest.mark.parametrize(
    ("model", "dataset"),
    [
        ("dcgan28", "mnist"),
        ("sndcgan", "digits"),
        ("resnet:width=2,critic_width=2", "cifar10"),
        ("sagan:width=4,critic_width=8", "cifar10"),
    ],
)
def test_training_stays_finite_with_spectral_norm_in_both_networks_and_classes(model, dataset, loss):
    tricks = "spectral-norm:generator=true,projection"
    one = trainer(model=model, loss=loss, trick=tricks, dataset=dataset, recipe={"batch_size": 4, "n_critic": 1})
    one.step()
    one.step()
    assert all(weight.isfinite().all() for module in one.modules.values() for weight in module.parameters())


def test_dropout_goes_on_where_a_checkpoint_was_taken():
    one = trainer(model="dcgan28", loss="bce", dataset="mnist", recipe={"batch_size": 4})
    one.step()
    state = copy.deepcopy(one.state_dict())  # the optimisers write into what they are given
    after = []
    for _ in range(2):
        one.load_state_dict(copy.deepcopy(state))
        one.step()
        after.append([weight.clone() for weight in one.modules["discriminator"].parameters()])
        torch.manual_seed(7)  # whoever else draws from PyTorch's generator
    assert all(map(torch.equal, *after))


# Parameters against published networks -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "side", "classes", "generator", "discriminator"),
    [
        ("resnet", 32, 0, 4_276_739, 1_053_825),  # mimicry's SNGAN and WGAN-GP
        ("resnet", 48, 0, 4_878_083, 10_141_441),
        ("resnet", 64, 0, 12_220_675, 10_141_441),
        ("resnet", 128, 0, 32_150_787, 29_017_857),
        ("resnet", 32, 10, 4_304_387, 1_055_105),  # mimicry's cGAN-PD
        ("sagan", 32, 10, 4_386_308, 1_075_586),  # StudioGAN's log of SAGAN on CIFAR-10; mimicry's is as large
        ("sagan", 64, 10, 12_292_996, 19_558_082),  # StudioGAN
        ("sagan", 128, 10, 32_321_412, 38_449_858),
        ("sndcgan", 32, 0, 3_812_355, None),  # pytorch-gan-collections' less the norm that table 3 does not have
        ("dcgan28", 28, 0, 2_305_472, 212_865),  # the tutorial's, trainable
    ],
)
def test_networks_are_as_large_as_published_ones(name, side, classes, generator, discriminator):
    setting = Setting((1 if name == "dcgan28" else 3, side, side), classes)
    with torch.device("meta"):
        made = networks(name, setting)
        if classes:
            made = component("trick", "projection").wrap(made, setting)
    assert count(made.generator) == generator
    assert discriminator is None or count(made.body, made.head) == discriminator


def test_the_release_of_sndcgan_is_as_large_as_published():
    with torch.device("meta"):
        made = {side: networks("sndcgan", Setting((3, side, side)), variant="release") for side in (32, 48)}
    assert [count(one.body, one.head) for one in made.values()] == [5_860_865, 5_871_105]  # pytorch-gan-collections


def test_sndcgan_is_table_3():
    made = networks("sndcgan", Setting((3, 32, 32)))
    convolutions = [m for m in made.body.modules() if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [64, 64, 128, 128, 256, 256, 512]
    assert [(m.kernel_size[0], m.stride[0]) for m in convolutions] == [(3, 1), (4, 2)] * 3 + [(3, 1)]
    assert {m.negative_slope for m in made.body.modules() if isinstance(m, nn.LeakyReLU)} == {0.1}
    assert not [m for m in made.body.modules() if "Norm" in type(m).__name__]
    assert (made.latent, made.features, made.generator.start) == (128, 4 * 4 * 512, (512, 4, 4))


def test_sndcgan_activates_behind_each_norm():
    for variant, first in (("table", False), ("release", True)):  # where the dense layer has a norm, too
        made, negative = networks("sndcgan", Setting((3, 8, 8)), variant=variant), []
        for layer in (*made.generator.deconvolutions, made.generator.output):
            layer.register_forward_pre_hook(lambda _, inputs, seen=negative: seen.append((inputs[0] < 0).any().item()))
        made.generator(torch.randn(4, 128), None)
        assert negative == [not first, False, False, False]


@pytest.mark.parametrize("name", ["dcgan", "sndcgan"])
def test_both_start_with_weights_of_deviation_0_02(name):
    made = networks(name, Setting((3, 32, 32)))
    for part in (made.generator, made.body, made.head):
        for layer in part.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)
                assert layer.bias is None or not layer.bias.any()
            elif isinstance(layer, nn.BatchNorm2d):
                deviation = 0.02 if name == "dcgan" else 0.0  # DCGAN's release draws the gains of norms, too
                assert layer.weight.mean().item() == pytest.approx(1, abs=0.01)
                assert layer.weight.std().item() == pytest.approx(deviation, rel=0.3)
                assert not layer.bias.any()


# mlp: what tutorials build -----------------------------------------------------------------------------------------


def layers(module: nn.Module) -> list[str]:
    """The layers in order; a dense one by its widths."""
    found = [m for m in module.modules() if not list(m.children()) and not isinstance(m, nn.Identity)]
    return [f"{m.in_features}-{m.out_features}" if isinstance(m, nn.Linear) else type(m).__name__ for m in found]


LEAKY, NORM = "LeakyReLU", "BatchNorm1d"


@pytest.mark.parametrize(
    ("model", "generator", "discriminator"),
    [
        (
            "mlp:generator=128x256,discriminator=256x128,norm=none",
            ["100-128", LEAKY, "128-256", LEAKY, "256-784"],
            ["784-256", LEAKY, "256-128", LEAKY, "128-1"],
        ),
        (
            "mlp:generator=256,discriminator=256,norm=none,activation=relu,slope=0,output=sigmoid",
            ["100-256", LEAKY, "256-784"],
            ["784-256", LEAKY, "256-1"],
        ),
        (
            "mlp:discriminator=512x256,norm_place=after,momentum=0.8",
            ["100-256", LEAKY, NORM, "256-512", LEAKY, NORM, "512-1024", LEAKY, NORM, "1024-784"],
            ["784-512", LEAKY, "512-256", LEAKY, "256-1"],
        ),
        (
            "mlp:generator=128,discriminator=128,norm=none,slope=0.01",
            ["100-128", LEAKY, "128-784"],
            ["784-128", LEAKY, "128-1"],
        ),
    ],
)
def test_tutorials_are_parameters_of_mlp(model, generator, discriminator):
    made = trainer(model=model, dataset="mnist").game.networks
    assert layers(made.generator) == generator
    assert layers(nn.Sequential(made.body, made.head)) == discriminator


def test_the_slope_is_the_tutorials_and_relu_has_none():
    def slopes(**values):
        made = networks("mlp", Setting((1, 8, 8)), **values)
        parts = (made.generator, made.body)
        return [{m.negative_slope for m in part.modules() if isinstance(m, nn.LeakyReLU)} for part in parts]

    assert slopes(slope=0.01) == [{0.01}, {0.01}]
    assert slopes(activation="relu") == [{0.0}, {0.2}]
    assert slopes(activation="relu", slope=0.0) == [{0.0}, {0.0}]


def test_no_norm_follows_the_critics_layer_that_sees_the_image():
    made = networks("mlp", Setting((1, 8, 8)), discriminator=(32, 16, 8), critic_norm="batch")
    assert layers(made.body) == ["64-32", LEAKY, "32-16", NORM, LEAKY, "16-8", NORM, LEAKY]


def test_momentum_is_what_keras_means_by_it():
    """0.8 of the statistics are kept: a batch of mean 10 moves a mean of 0 to 2."""
    made = networks("mlp", Setting((1, 8, 8)), momentum=0.8, generator=(4,))
    (norm,) = (m for m in made.generator.modules() if isinstance(m, nn.BatchNorm1d))
    norm(torch.full((5, 4), 10.0))
    assert norm.running_mean.tolist() == pytest.approx([2.0] * 4)


def test_a_sigmoids_pixels_fill_minus_one_to_one():
    """2 sigmoid(x) - 1 = tanh(x / 2), of the same x that tanh is given."""
    z = torch.randn(4, 100)
    tanh, sigmoid = (networks("mlp", Setting((1, 8, 8)), output=output).generator(z, None) for output in
                     ("tanh", "sigmoid"))  # fmt: skip
    assert torch.allclose(sigmoid, (tanh.double().atanh() / 2).tanh().float(), atol=1e-5)


# dcgan ---------------------------------------------------------------------------------------------------------------


def test_dcgan_has_the_layers_of_the_paper():
    """Section 3: no norm at the generator's output and at the discriminator's input, ReLU here and LeakyReLU there."""
    made = networks("dcgan", Setting((1, 16, 16)), width=2)
    norm = ["BatchNorm2d", "ReLU"]
    assert layers(made.generator) == ["100-64", *norm, "ConvTranspose2d", *norm, "ConvTranspose2d", "Tanh"]
    assert layers(made.body) == ["Conv2d", LEAKY, "Conv2d", "BatchNorm2d", LEAKY]
    assert {m.negative_slope for m in made.body.modules() if isinstance(m, nn.LeakyReLU)} == {0.2}


# dcgan28 -----------------------------------------------------------------------------------------------------------


def same(images: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Keras' convolution of stride 2 with padding "same": output i sees the inputs from 2i - 1 to 2i + 3."""
    return F.conv2d(F.pad(images, (1, 2, 1, 2)), kernel, stride=2)


def test_dcgan28_halves_as_keras_does():
    made = networks("dcgan28", Setting((1, 28, 28)))
    pad, convolution = made.body.layers[:2]
    images = torch.zeros(1, 1, 28, 28)
    images[0, 0, 9, 9] = 1  # seen by the outputs 3, 4 and 5, whose windows start at 5, 7 and 9
    seen = convolution(pad(images))[0].abs().sum(0).nonzero()
    assert seen.amin(0).tolist() == [3, 3] and seen.amax(0).tolist() == [5, 5]
    assert torch.allclose(convolution(pad(images)), same(images, convolution.weight), atol=1e-6)


def test_dcgan28_doubles_by_the_transpose_of_that():
    made = networks("dcgan28", Setting((1, 28, 28)))
    (first, _), (last, cut) = (
        (layer, made.generator.layers[i + 1])
        for i, layer in enumerate(made.generator.layers)
        if isinstance(layer, nn.ConvTranspose2d) and layer.stride == (2, 2)
    )
    assert (first.in_channels, first.out_channels) == (128, 64)
    h, images = torch.randn(2, 64, 14, 14), torch.zeros(2, 1, 28, 28, requires_grad=True)
    (expected,) = torch.autograd.grad(same(images, last.weight), images, h)
    assert torch.allclose(cut(last(h)), expected, atol=1e-5)


def test_dcgan28_has_the_defaults_of_keras():
    made = networks("dcgan28", Setting((1, 28, 28)))
    norms = [m for m in made.generator.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert [(m.num_features, m.eps, m.momentum) for m in norms] == [(n, 1e-3, 0.01) for n in (12544, 128, 64)]
    assert {m.p for m in made.body.modules() if isinstance(m, nn.Dropout)} == {0.3}
    dense = made.generator.layers[0]
    assert dense.weight.abs().max().item() == pytest.approx(math.sqrt(6 / (100 + 12544)), rel=1e-3)
    assert not made.head.linear.bias.any()
    biased = [m.bias is not None for m in made.generator.modules() if isinstance(m, nn.Linear | nn.ConvTranspose2d)]
    assert biased == [False] * 4


# resnet ------------------------------------------------------------------------------------------------------------


def test_resnet_starts_with_the_published_weights():
    """Glorot: variance 2 gain^2 / (fan in + fan out), with gain^2 = 2 in residuals and 1 elsewhere."""
    made = networks("resnet", Setting((3, 32, 32)), width=16)
    block, first = made.generator.blocks[0], made.body.blocks[0]

    def bound(fan: int, gain: float) -> float:
        return gain * math.sqrt(6 / fan)

    for layer, fan, gain in (
        (block.conv1, 9 * 128, math.sqrt(2)),
        (block.conv2, 9 * 128, math.sqrt(2)),
        (block.shortcut, 128, 1),
        (made.generator.dense, 128 + 64 * 16, 1),
        (made.generator.output[2], 9 * 67, 1),
        (first.residual[0], 9 * 131, math.sqrt(2)),
        (first.residual[2], 9 * 256, math.sqrt(2)),
        (made.body.blocks[1].residual[2], 9 * 256, math.sqrt(2)),
        (made.body.blocks[1].residual[5], 9 * 256, math.sqrt(2)),
        (first.shortcut[1], 131, 1),
        (made.head.linear, 129, 1),
    ):
        assert layer.weight.abs().max().item() == pytest.approx(bound(fan, gain), rel=0.05)
        assert not layer.bias.any()


@pytest.mark.parametrize(
    ("name", "side", "left"),
    [
        *[("resnet", 32, 8), ("resnet", 48, 3), ("resnet", 64, 2), ("resnet", 128, 4)],
        *[("sagan", 32, 8), ("sagan", 64, 4), ("sagan", 128, 4)],
    ],
)
def test_the_last_maps_have_the_published_side(name, side, left):
    """Miyato et al. 2018, tables 4 to 6; Miyato & Koyama 2018, release, and StudioGAN, for 64x64."""
    made = small(name, Setting((3, side, side)))
    assert made.body.blocks(torch.randn(1, 3, side, side)).shape[2:] == (left, left)


def test_the_mean_pool_is_the_sum_over_its_places():
    setting, images = Setting((3, 32, 32)), torch.randn(2, 3, 32, 32)
    total, mean = (small("resnet", setting, pool=pool).body(images) for pool in ("sum", "mean"))
    assert torch.allclose(total, 64 * mean, rtol=1e-4)  # 8 x 8 places


def test_blocks_leave_their_input_alone():
    """An activation in place would change what the shortcut sees."""
    made = small("resnet", Setting((3, 32, 32)))
    for block in list(made.body.blocks)[1:]:
        h = torch.randn(2, 4, 8, 8)
        before = h.clone()
        assert isinstance(block, Residual)
        block(h)
        assert torch.equal(h, before)


def test_shortcuts_that_change_the_side_first_give_the_same():
    """The releases double before the 1x1 convolution of the shortcut, and halve behind it."""
    made = small("resnet", Setting((3, 32, 32)))
    h = torch.randn(2, 8, 4, 4)
    up = made.generator.blocks[0]
    ours = F.interpolate(up.shortcut(h), scale_factor=2)
    assert torch.allclose(ours, up.shortcut(F.interpolate(h, scale_factor=2)), atol=1e-6)
    pool, convolution = made.body.blocks[1].shortcut
    h = torch.randn(2, 4, 8, 8)
    assert torch.allclose(convolution(pool(h)), pool(convolution(h)), atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "taught"),
    [
        (HalvingConv2d, lambda h, w, b: F.avg_pool2d(F.conv2d(h, w, b, padding=1), 2)),
        (DoublingConv2d, lambda h, w, b: F.conv2d(F.interpolate(h, scale_factor=2), w, b, padding=1)),
    ],
)
@pytest.mark.parametrize("side", [(8, 6), (7, 5)])
def test_a_convolution_that_changes_the_side_is_what_the_paper_has(layer, taught, side):
    """Repeating pixels and a 3x3 convolution, or that and averages: outputs, gradients and their own gradients."""
    one = layer(3, 5, 3, 1, 1).double()
    h = torch.randn(2, 3, *side, dtype=torch.float64, requires_grad=True)
    inputs = (h, one.weight, one.bias)
    found = []
    for y in (one(h), taught(*inputs)):
        gradients = torch.autograd.grad(y.square().sum(), inputs, create_graph=True)
        found.append([y, *gradients, *torch.autograd.grad(gradients[0].square().sum(), inputs[:2])])
    for ours, theirs in zip(*found, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-10, atol=1e-10)


def test_resnets_layer_norm_spares_the_first_block_and_keeps_samples_apart():
    made = small("resnet", Setting((3, 32, 32)), critic_norm="layer")
    norms = [sum(isinstance(m, nn.GroupNorm) for m in block.modules()) for block in made.body.blocks]
    assert norms == [0, 2, 2, 2]
    images = torch.randn(4, 3, 32, 32)
    assert torch.allclose(made.body(images)[:1], made.body(images[:1]), atol=1e-4)


def test_wgan_gp_takes_resnets_norms_as_they_are_and_spectral_norm_excludes_layer():
    run = ganzoo.plan(model="resnet", loss="wgan-gp", dataset="cifar10").runs[0]
    assert run.architecture.params["critic_norm"] == "none"
    with pytest.raises(IncompatibleError, match="spectral-norm excludes critic-norm:layer"):
        ganzoo.plan(model="resnet:critic_norm=layer", loss="hinge", trick="spectral-norm", dataset="cifar10")


# Conditional batch norm --------------------------------------------------------------------------------------------


def test_a_conditional_batch_norm_starts_as_a_plain_one():
    h, y = torch.randn(6, 3, 4, 4), torch.tensor([0, 1, 2, 0, 1, 2])
    plain, conditional = ConditionalBatchNorm(3, 0), ConditionalBatchNorm(3, 5)
    assert torch.allclose(conditional(h, y), plain(h, None))
    assert torch.allclose(plain(h, None), nn.BatchNorm2d(3)(h))


def test_each_class_has_its_own_gain_and_shift():
    h, y = torch.randn(4, 3, 4, 4), torch.tensor([0, 1, 1, 0])
    norm = ConditionalBatchNorm(3, 2)
    assert norm.gain is not None and norm.shift is not None
    normed = norm(h, y)
    with torch.no_grad():
        norm.gain[1] = 2
        norm.shift[1] = torch.tensor([1.0, 2.0, 3.0])
    changed = norm(h, y)
    assert torch.equal(changed[[0, 3]], normed[[0, 3]])
    assert torch.allclose(changed[1:3], 2 * normed[1:3] + torch.tensor([1.0, 2.0, 3.0])[:, None, None])


def test_spectral_norm_of_the_generator_leaves_the_classes_gains_alone():
    """Their matrix of ones would be divided by sqrt(classes * channels), and that of zero shifts by 0."""
    setting = Setting((3, 32, 32), 10)
    made = component("trick", "spectral-norm", generator=True).wrap(small("sagan", setting), setting)
    gains = [m.gain for m in made.generator.modules() if isinstance(m, ConditionalBatchNorm)]
    assert len(gains) == 6 and all((gain == 1).all() for gain in gains if gain is not None)
    assert made.generator(torch.randn(4, 128), torch.arange(4)).isfinite().all()


# sagan -------------------------------------------------------------------------------------------------------------


def test_attention_starts_as_the_identity():
    x = torch.randn(2, 16, 8, 8)
    attention = SelfAttention(16)
    assert attention.gamma == 0 and torch.equal(attention(x), x)


def test_sagan_starts_with_glorot_weights():
    made = networks("sagan", Setting((3, 32, 32)), width=16, critic_width=32)
    for layer in (*made.generator.modules(), *made.body.modules()):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fan_in, fan_out = layer.weight[0].numel(), layer.weight[:, 0].numel()
            expected = math.sqrt(6 / (fan_in + fan_out))
            assert layer.weight.abs().max().item() == pytest.approx(expected, rel=0.05)


def test_attention_is_softmax_attention_over_pooled_places():
    """Against PyTorch's own attention, without its usual scale of 1 / sqrt(channels)."""
    x, attention = torch.randn(2, 16, 8, 6), SelfAttention(16)
    nn.init.ones_(attention.gamma)
    query = attention.g(x).flatten(2).mT  # (N, 48, 2)
    key, value = (F.max_pool2d(layer(x), 2).flatten(2).mT for layer in (attention.f, attention.h))  # (N, 12, 2 and 8)
    o = F.scaled_dot_product_attention(query, key, value, scale=1.0).mT.unflatten(2, (8, 6))
    assert torch.allclose(attention(x), x + attention.v(o), atol=1e-5)


def test_every_place_sees_all_others():
    x, attention = torch.randn(1, 16, 8, 8, requires_grad=True), SelfAttention(16)
    nn.init.ones_(attention.gamma)
    attention(x)[0, :, 0, 0].sum().backward()
    assert x.grad is not None
    corners = x.grad[0].abs().sum(0).view(4, 2, 4, 2).sum((1, 3))  # by the 2 x 2 places that are pooled together
    assert (corners > 0).all()


@pytest.mark.parametrize(("side", "asked", "attended"), [(32, 32, 16), (64, 32, 32), (128, 32, 32), (32, 8, 8)])
def test_attention_sees_maps_of_the_published_side(side, asked, attended):
    """32 at 128x128 (Zhang et al. 2019); 16 at 32x32 and 32 at 64x64 (StudioGAN)."""
    made, seen = small("sagan", Setting((3, side, side)), attention=asked), []
    for blocks in (made.generator.blocks, made.body.blocks):
        (one,) = (block for block in blocks if isinstance(block, SelfAttention))
        one.register_forward_hook(lambda module, inputs, output: seen.append(tuple(output.shape[2:])))
    made.body(made.generator(torch.randn(2, 128), None))
    assert seen == [(attended, attended)] * 2


# Recipes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "dataset", "rates", "betas", "n_critic", "batch"),
    [
        ("dcgan28", "mnist", (1e-4, 1e-4), (0.9, 0.999), 1, 256),
        ("sndcgan", "cifar10", (2e-4, 2e-4), (0.5, 0.999), 1, 64),
        ("resnet", "cifar10", (2e-4, 2e-4), (0.0, 0.9), 5, 64),
        ("sagan", "cifar10", (1e-4, 4e-4), (0.0, 0.9), 1, 256),
    ],
)
def test_recipes_are_the_published_ones(model, dataset, rates, betas, n_critic, batch):
    recipe = ganzoo.plan(model=model, loss="hinge", dataset=dataset).runs[0].recipe
    assert (recipe["generator_lr"], recipe["discriminator_lr"]) == rates
    assert (recipe["beta1"], recipe["beta2"]) == betas
    assert (recipe["n_critic"], recipe["batch_size"]) == (n_critic, batch)
