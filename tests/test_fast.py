"""The fast mode's kernels compute what PyTorch's do, to any order of differentiation."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional as F

from ganzoo.train import convolution, winograd
from ganzoo.train.convolution import Down, Geometry, Up, Weigh, fold, transposed, unfold
from ganzoo.train.fast import Fast

GEOMETRIES = [Geometry(2, 1, 4), Geometry(1, 1, 3), Geometry(2, 1, 3), Geometry(2, 0, 2)]  # stride, padding, kernel
SAME = Geometry(1, 1, 3)


def tensor(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)), dtype=dtype).requires_grad_()


@pytest.fixture(params=["products", "oneDNN"])
def kernels(request, monkeypatch):
    """Choose the kernels that shapes would choose."""
    product = request.param == "products"
    monkeypatch.setattr(
        convolution, "folds", lambda channels, geometry: product and geometry.kernel % geometry.stride == 0
    )
    monkeypatch.setattr(convolution, "multiplies", lambda dtype, side, geometry: product)


@pytest.mark.parametrize("side", [(6, 6), (7, 5)])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_convolutions_and_their_gradients_are_pytorchs(kernels, geometry, side):
    large, w, bias = tensor(2, 3, *side), tensor(4, 3, geometry.kernel, geometry.kernel), tensor(4)
    ours = Down.apply(large, w, bias, geometry)
    theirs = F.conv2d(large, w, bias, geometry.stride, geometry.padding)
    torch.testing.assert_close(ours, theirs)
    found = [torch.autograd.grad(y.square().sum(), (large, w, bias)) for y in (ours, theirs)]
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_transposed_convolutions_and_their_gradients_are_pytorchs(kernels, geometry):
    small, w, bias = tensor(2, 4, 3, 2), tensor(4, 3, geometry.kernel, geometry.kernel), tensor(3)
    for more in range(geometry.stride):
        side = (transposed(3, geometry) + more, transposed(2, geometry) + more)
        ours = Up.apply(small, w, bias, side, geometry)
        theirs = F.conv_transpose2d(small, w, bias, geometry.stride, geometry.padding, more)
        torch.testing.assert_close(ours, theirs)
        found = [torch.autograd.grad(y.square().sum(), (small, w, bias)) for y in (ours, theirs)]
        for one, two in zip(*found, strict=True):
            torch.testing.assert_close(one, two)


@pytest.mark.parametrize("geometry", GEOMETRIES[:3])
def test_each_can_be_differentiated_twice(kernels, geometry):
    large, small = tensor(1, 2, 4, 4), tensor(1, 3, *[convolution.smaller(4, geometry)] * 2)
    w = tensor(3, 2, geometry.kernel, geometry.kernel)
    for function, inputs in (
        (lambda x, w: Down.apply(x, w, None, geometry), (large, w)),
        (lambda x, w: Up.apply(x, w, None, (4, 4), geometry), (small, w)),
        (lambda x, y: Weigh.apply(x, y, geometry), (small, large)),
    ):
        assert gradcheck(function, inputs) and gradgradcheck(function, inputs)


@pytest.fixture
def tiled(monkeypatch):
    """Have tiles of every shape, one a thread at a time."""
    monkeypatch.setattr(winograd, "pays", lambda images, outputs, dtype: True)
    monkeypatch.setattr(winograd, "PORTION", 1)


@pytest.mark.parametrize("shape", [(3, 3, 4, 4), (2, 3, 8, 4), (1, 3, 12, 8)])
def test_convolutions_by_tiles_and_their_gradients_are_pytorchs(tiled, shape):
    images, w, back, bias = tensor(*shape), tensor(5, 3, 3, 3), tensor(3, 5, 3, 3), tensor(5)
    for ours, theirs, weights in (
        (Down.apply(images, w, bias, SAME), F.conv2d(images, w, bias, padding=1), w),
        (Up.apply(images, back, bias, shape[2:], SAME), F.conv_transpose2d(images, back, bias, padding=1), back),
    ):
        torch.testing.assert_close(ours, theirs)
        found = [torch.autograd.grad(y.square().sum(), (images, weights, bias)) for y in (ours, theirs)]
        for one, two in zip(*found, strict=True):
            torch.testing.assert_close(one, two)


def test_convolutions_by_tiles_can_be_differentiated_twice(tiled):
    large, small, w = tensor(1, 2, 4, 4), tensor(1, 3, 4, 4), tensor(3, 2, 3, 3)
    for function, inputs in (
        (lambda x, w: Down.apply(x, w, None, SAME), (large, w)),
        (lambda x, w: Up.apply(x, w, None, (4, 4), SAME), (small, w)),
        (lambda x, y: Weigh.apply(x, y, SAME), (small, large)),
    ):
        assert gradcheck(function, inputs) and gradgradcheck(function, inputs)


def test_wide_convolutions_go_by_tiles_which_round_a_little_more_than_direct_sums():
    images, w = tensor(16, 128, 8, 8, dtype=torch.float32), tensor(128, 128, 3, 3, dtype=torch.float32)
    assert winograd.pays(images.shape, len(w), images.dtype)

    def found(images: torch.Tensor, w: torch.Tensor) -> list[torch.Tensor]:
        y, back = F.conv2d(images, w, padding=1), F.conv_transpose2d(images, w, padding=1)
        assert y.is_contiguous(memory_format=torch.channels_last) or images.dtype == torch.float64
        return [y, back, *torch.autograd.grad(y, (images, w), slope.to(y.dtype))]

    slope = torch.randn(images.shape, generator=torch.Generator().manual_seed(7))
    last = images.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
    exact, direct = found(images.double(), w.double()), found(last, w)
    with Fast():
        ours = found(last, w)
    for one, plain, right in zip(ours, direct, exact, strict=True):
        error, least = (((x - right).norm() / right.norm()).item() for x in (one, plain))
        assert 1.5 * least < error < 6e-6


@pytest.mark.parametrize(
    ("images", "outputs", "dtype"),
    [
        ((16, 128, 7, 7), 128, torch.float32),  # tiles would not fit
        ((16, 64, 8, 8), 128, torch.float32),  # too few channels
        ((1, 256, 8, 8), 256, torch.float32),  # too few tiles
        ((16, 128, 64, 64), 128, torch.float32),  # too many in an image for the cache
        ((16, 128, 8, 8), 128, torch.bfloat16),  # too coarse
        ((0, 128, 8, 8), 128, torch.float32),
    ],
)
def test_tiles_are_for_shapes_that_they_suit(images, outputs, dtype):
    assert not winograd.pays(images, outputs, dtype)


@pytest.mark.parametrize("geometry", [geometry for geometry in GEOMETRIES if geometry.kernel % geometry.stride == 0])
def test_fold_is_the_adjoint_of_unfold(geometry):
    large = tensor(2, 3, 7, 6)
    seen = unfold(large, geometry)
    columns = torch.randn(seen.shape, dtype=torch.float64)
    small = torch.Size((2, 4, convolution.smaller(7, geometry), convolution.smaller(6, geometry)))
    back = fold(columns, None, small, (7, 6), geometry)
    assert (seen * columns).sum().item() == pytest.approx((large * back).sum().item())


@pytest.mark.parametrize(("kernel", "padding", "turned"), [(3, 1, True), (3, 0, True), (2, 1, True), (3, 3, False)])
def test_a_convolution_to_few_channels_is_the_transpose_of_one(monkeypatch, kernel, padding, turned):
    inputs = (tensor(2, 8, 5, 4), tensor(3, 8, kernel, kernel), tensor(3))
    asked: list[Geometry] = []
    up = Up.apply
    monkeypatch.setattr(Up, "apply", lambda *given: asked.append(given[-1]) or up(*given))
    plain = F.conv2d(*inputs, padding=padding)
    with Fast():
        fast = F.conv2d(*inputs, padding=padding)
    assert asked == ([Geometry(1, kernel - 1 - padding, kernel)] if turned else [])
    torch.testing.assert_close(fast, plain)
    found = [torch.autograd.grad(y.square().sum(), inputs) for y in (fast, plain)]
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize(
    "layer",
    [
        torch.nn.Conv2d(8, 3, 3, 1, 1),
        torch.nn.Conv2d(128, 128, 3, 1, 1),
        torch.nn.Conv2d(128, 128, 3, 1, 1, bias=False),
        torch.nn.ConvTranspose2d(8, 3, 4, 2, 1),
        torch.nn.ConvTranspose2d(128, 128, 3, 1, 1),
    ],
    ids=str,
)
def test_what_a_convolution_gives_may_be_changed_in_place(layer):
    layer, x = layer.double(), tensor(8, layer.in_channels, 16, 16)
    found = []
    for mode in (nullcontext(), Fast()):
        with mode:
            y = F.leaky_relu_(layer(x), 0.2)
        found.append(torch.autograd.grad(y.square().sum(), (x, layer.weight)))
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two)


def test_a_convolution_of_no_images_or_of_too_small_ones_is_pytorchs():
    layer = torch.nn.Conv2d(8, 3, 3)
    with Fast():
        assert layer(torch.zeros(0, 8, 5, 5)).shape == (0, 3, 3, 3)
        with pytest.raises(RuntimeError, match="Kernel size"):
            layer(torch.zeros(1, 8, 2, 2))


@pytest.mark.parametrize("low", [False, True])
def test_networks_in_the_fast_mode_have_the_gradients_that_they_have_without_it(low):
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Unflatten(1, (8, 4, 4)),
        torch.nn.ConvTranspose2d(8, 16, 4, 2, 1),
        torch.nn.ConvTranspose2d(16, 3, 4, 2, 1),
        torch.nn.Conv2d(3, 16, 4, 2, 1),
        torch.nn.LeakyReLU(0.2),
        torch.nn.Conv2d(16, 8, 4, 2, 1),
        torch.nn.Flatten(),
        torch.nn.Linear(128, 1),
    ).to(memory_format=torch.channels_last)
    z = torch.randn(16, 128)

    def gradients() -> list[torch.Tensor]:
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            y = network(z)
        return list(torch.autograd.grad(y.float().square().sum(), list(network.parameters())))

    plain = gradients()
    with Fast():
        fast = gradients()
    for one, two in zip(plain, fast, strict=True):
        assert one.dtype == two.dtype and one.shape == two.shape
        assert ((one - two).norm() / one.norm()).item() < (0.02 if low else 1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        torch.nn.Conv2d(2, 4, 3, padding="same"),
        torch.nn.Conv2d(2, 4, (3, 1), padding=(1, 0)),
        torch.nn.Conv2d(2, 4, 3, dilation=2, padding=2),
        torch.nn.Conv2d(2, 4, 3, groups=2),
        torch.nn.Conv2d(2, 4, 3, padding=1, padding_mode="reflect"),
        torch.nn.ConvTranspose2d(2, 4, 3, 2, 1, output_padding=1),
        torch.nn.ConvTranspose2d(2, 4, 4, (2, 1), 1),
        torch.nn.ConvTranspose2d(2, 2, 4, 2, 1, groups=2),
    ],
    ids=str,
)
def test_unusual_convolutions_are_what_they_were(layer):
    x = torch.randn(2, 2, 6, 6, requires_grad=True)
    plain = layer(x)
    with Fast():
        torch.testing.assert_close(layer(x), plain)


def test_functions_take_pytorchs_names():
    torch.manual_seed(0)
    x, w, back, b = torch.randn(2, 3, 8, 8), torch.randn(4, 3, 4, 4), torch.randn(3, 4, 4, 4), torch.randn(4)
    calls = (
        lambda: F.conv2d(input=x, weight=w, bias=b, stride=2),
        lambda: F.conv2d(x, weight=w),
        lambda: F.conv_transpose2d(x, weight=back, bias=b),
        lambda: torch.flatten(input=x, start_dim=1),
        lambda: x.flatten(start_dim=1),
        x.flatten,
    )
    for call in calls:
        plain = call()
        with Fast():
            torch.testing.assert_close(call(), plain)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: F.conv_transpose2d(x, torch.randn(3, 3, 4, 4), stride=2, output_padding=2),
        lambda x: F.conv_transpose2d(x, torch.randn(3, 3, 4, 4), torch.randn(1), stride=2),
        lambda x: F.conv_transpose2d(x, torch.randn(3, 3, 4, 4).double(), stride=2),
        lambda x: F.conv2d(x, torch.randn(3, 4, 4, 4, requires_grad=True), stride=2),
    ],
)
def test_what_pytorch_refuses_is_refused_as_it_does(call):
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    with pytest.raises(RuntimeError) as plain:
        call(x)
    with Fast(), pytest.raises(RuntimeError) as fast:
        call(x)
    assert str(fast.value) == str(plain.value)


def test_what_is_flattened_without_a_copy_may_be_changed_in_place():
    pooled = torch.randn(2, 8, 1, 1, requires_grad=True).mul(1).contiguous(memory_format=torch.channels_last)
    with Fast():
        assert F.relu(pooled.flatten(1), inplace=True).min() == 0


def test_transforms_of_functions_see_pytorchs_own():
    x, w = torch.randn(2, 3, 8, 8), torch.randn(4, 3, 4, 4)
    slope = torch.func.grad(lambda images: F.conv2d(images, w, stride=2).square().sum())
    plain = slope(x)
    with Fast():
        torch.testing.assert_close(slope(x), plain)
