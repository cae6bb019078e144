"""What the compiler carries products out by on a GPU computes what PyTorch's own operators do."""

from __future__ import annotations

import pytest
import torch
from equality import agree
from torch import nn
from torch.nn.functional import linear

from ganzoo.train import lanes, passes, products


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


@pytest.mark.parametrize(("outputs", "kernel", "stride", "padding"), [(5, 1, 1, 0), (16, 4, 2, 1)])
def test_a_gradient_that_nobody_asks_for_is_none(monkeypatch, outputs, kernel, stride, padding):
    """Of channels that are filled up, and of a convolution as a product."""
    monkeypatch.setattr(lanes, "padded", lambda x: True)
    x, w = torch.randn(2, 3, 4, 4), torch.randn(outputs, 3, kernel, kernel)
    place = ([stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1)
    g = torch.randn_like(torch.convolution(x, w, None, *place))
    for mask in ([True, False, False], [False, True, True], [False, False, True]):
        found = lanes.convolution_backward(g, x, w, [outputs], *place, mask)
        wanted = torch.ops.aten.convolution_backward(g, x, w, [outputs], *place, mask)
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


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("kernel", [3, 4])
def test_in_bfloat16_channels_are_always_innermost(monkeypatch, double, transposed, kernel):
    monkeypatch.setattr(lanes, "padded", lambda x: True)
    monkeypatch.setattr(lanes, "copied", lambda x: True)
    place = ([2, 2], [1, 1], [1, 1], transposed, [0, 0], 1)
    x, w = torch.randn(2, 8, 6, 6), torch.randn(8, 8, kernel, kernel)
    operators = agree(lambda x, w: torch.convolution(x, w, None, *place), x, w)
    assert operators.count("aten.clone.default") == 2 + 2  # images and weights, and again for their gradients
    inner = [one.detach().to(memory_format=torch.channels_last) for one in (x, w)]
    assert "aten.clone.default" not in agree(lambda x, w: torch.convolution(x, w, None, *place), *inner)


@pytest.mark.parametrize("dimensions", [2, 4])
def test_before_a_batch_norm_they_are_innermost_in_a_copy(monkeypatch, dimensions):
    monkeypatch.setattr(lanes, "padded", lambda x: True)
    x, rest = torch.randn(6, 4, *[3] * (dimensions - 2)), (torch.rand(4), torch.randn(4), torch.zeros(4), torch.ones(4))
    found = lanes.batch_norm(x, *rest, True, 0.1, 1e-5)
    if dimensions == 2:
        assert found is NotImplemented
        return
    wanted = torch.ops.aten._native_batch_norm_legit_functional(x, *rest, True, 0.1, 1e-5)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(found, wanted, strict=True))
    assert found[0].stride() == wanted[0].stride()
    inner = x.to(memory_format=torch.channels_last)
    assert lanes.batch_norm(inner, *rest, True, 0.1, 1e-5) is NotImplemented


def test_what_a_batch_norm_gives_can_be_viewed_as_it_could_uncompiled(monkeypatch):
    monkeypatch.setattr(lanes, "padded", lambda x: True)
    network = nn.Sequential(nn.Unflatten(1, (4, 3, 3)), nn.BatchNorm2d(4))
    torch._dynamo.reset()
    found = passes.compiled(lambda x: network(x).view(6, 36))(torch.randn(6, 36))
    assert found.shape == (6, 36)


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
