"""What the compiler carries products out by on a GPU computes what PyTorch's own operators do."""

from __future__ import annotations

import pytest
import torch
from equality import agree
from torch.nn.functional import linear

from ganzoo.train import lanes, products


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("channels", [(3, 16), (16, 3), (1, 5), (8, 16)])
@pytest.mark.parametrize("put", [(4, 2, 1, 0), (3, 1, 1, 0), (4, 2, 1, 1), (1, 1, 0, 0)])
def test_filled_channels_change_no_convolution(monkeypatch, double, transposed, channels, put):
    monkeypatch.setattr(lanes, "padded", lambda x: True)
    monkeypatch.setattr(products, "pays", lambda *_: False)
    inputs, outputs = channels
    kernel, stride, padding, extra = put
    shape = channels if transposed else (outputs, inputs)
    place = ([stride] * 2, [padding] * 2, [1, 1], transposed, [extra if transposed else 0] * 2, 1)
    operators = agree(
        lambda x, w, b: torch.convolution(x, w, b, *place),
        torch.randn(2, inputs, 7, 7), torch.randn(*shape, kernel, kernel), torch.randn(outputs),
    )  # fmt: skip
    assert ("aten.constant_pad_nd.default" in operators) == (channels != (8, 16))


def test_a_gradient_that_nobody_asks_for_is_none(monkeypatch):
    monkeypatch.setattr(lanes, "padded", lambda x: True)
    g, x, w = torch.randn(2, 5, 3, 3), torch.randn(2, 3, 3, 3), torch.randn(5, 3, 1, 1)
    place = ([1, 1], [0, 0], [1, 1], False, [0, 0], 1)
    for mask in ([True, False, False], [False, True, True], [False, False, True]):
        found = lanes.convolution_backward(g, x, w, [5], *place, mask)
        wanted = torch.ops.aten.convolution_backward(g, x, w, [5], *place, mask)
        assert [one is not None for one in found] == mask
        assert all(torch.allclose(a, b, atol=1e-5) for a, b, asked in zip(found, wanted, mask, strict=True) if asked)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("kernel", [1, 3])
def test_channels_become_innermost_where_the_weights_are(monkeypatch, double, groups, transposed, kernel):
    monkeypatch.setattr(lanes, "copied", lambda x: True)
    x, w = torch.randn(2, 4, 5, 5), torch.randn(4, 4 // groups, kernel, kernel)
    inner = w.to(memory_format=torch.channels_last)
    place = ([1, 1], [0, 0], [1, 1], transposed, [0, 0], groups)
    operators = agree(lambda x, w: torch.convolution(x, w, None, *place), x, inner)
    assert "aten.clone.default" in operators
    plain = agree(lambda x, w: torch.convolution(x, w, None, *place), x.detach(), w)
    assert len(plain) < len(operators)


def test_groups_float32_and_a_cpu_are_left_alone(monkeypatch):
    x, w = torch.randn(2, 6, 3, 3), torch.randn(6, 3, 1, 1)
    assert not lanes.padded(x.bfloat16()) and not lanes.copied(x) and not lanes.single(x[0, 0], x[0, 0, :, :1])
    monkeypatch.setattr(lanes, "padded", lambda x: True)
    assert lanes.convolution(x, w, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 2) is NotImplemented


@pytest.mark.parametrize("shape", [(5, 3, 1), (1, 3, 4), (5, 1, 4), (1, 1, 1), (5, 3, 4)])
def test_a_single_column_or_row_changes_no_product(monkeypatch, double, shape):
    monkeypatch.setattr(lanes, "single", lambda a, b: 1 in b.shape)
    count, features, outputs = shape
    operators = agree(linear, torch.randn(count, features), torch.randn(outputs, features), torch.randn(outputs))
    assert "aten.addmm.default" not in operators or 1 not in (features, outputs)
