"""Convolutions that the compiler carries out as matrix products are convolutions."""

from __future__ import annotations

import pytest
import torch
from equality import agree

from ganzoo.train import lanes, products


@pytest.fixture
def on_gpu(monkeypatch):
    monkeypatch.setattr(lanes, "padded", lambda x: True)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize(
    "put", [(4, 2, 1, 0), (4, 1, 2, 0), (2, 2, 0, 0), (4, 2, 1, 1), (6, 2, 2, 0), (4, 3, 0, 1), (2, 3, 0, 0)]
)
def test_they_have_the_same_numbers_and_gradients(on_gpu, double, transposed, channels, put):
    kernel, stride, padding, extra = put
    place = ([stride] * 2, [padding] * 2, [1, 1], transposed, [extra if transposed else 0] * 2, 1)
    operators = agree(
        lambda x, w, b: torch.convolution(x, w, b, *place),
        torch.randn(2, 16 if transposed else channels, 8, 6),
        torch.randn(16, channels, kernel, kernel),
        torch.randn(channels if transposed else 16),
    )
    assert not any("convolution" in operator for operator in operators)


@pytest.mark.parametrize("transposed", [False, True])
def test_no_images_give_none(transposed):
    x, w = torch.zeros(0, 16 if transposed else 3, 8, 8), torch.randn(16, 3, 4, 4)
    place = ([2, 2], [1, 1], [1, 1], transposed, [0, 0], 1)
    wanted = torch.convolution(x, w, None, *place)
    assert products.convolution(x, w, None, *place).shape == wanted.shape
    by_images, by_weights, _ = products.convolution_backward(wanted, x, w, None, *place, [True, True, False])
    assert by_images.shape == x.shape and not by_weights.any() and by_weights.shape == w.shape


@pytest.mark.parametrize(
    ("batch", "weights", "place", "pays"),
    [
        (64, (64, 3, 4, 4), ([2, 2], [1, 1], [1, 1], False, [0, 0], 1), True),  # from images
        (64, (64, 3, 4, 4), ([2, 2], [1, 1], [1, 1], True, [0, 0], 1), True),  # to images
        (64, (64, 32, 4, 4), ([2, 2], [1, 1], [1, 1], False, [0, 0], 1), False),
        (64, (64, 3, 3, 3), ([1, 1], [1, 1], [1, 1], False, [0, 0], 1), False),  # 27 columns, no whole lanes
        (64, (8, 3, 4, 4), ([2, 2], [1, 1], [1, 1], False, [0, 0], 1), False),
        (64, (64, 3, 4, 4), ([2, 1], [1, 1], [1, 1], False, [0, 0], 1), False),  # not square
        (64, (64, 3, 4, 4), ([2, 2], [1, 1], [2, 2], False, [0, 0], 1), False),
        (64, (64, 3, 4, 4), ([2, 2], [1, 1], [1, 1], False, [0, 0], 2), False),
    ],
)
def test_which_are_products(batch, weights, place, pays):
    x = torch.empty(batch, weights[0] if place[3] else weights[1] * place[-1], 8, 8, device="meta")
    assert products.pays(x, torch.empty(weights, device="meta"), *place) == pays


def test_images_that_are_no_squares_of_pixels_are_left_alone():
    x, w = torch.empty(2, 3, 8, device="meta"), torch.empty(16, 3, 4, device="meta")
    assert not products.pays(x, w, [2], [1], [1], False, [0], 1)
