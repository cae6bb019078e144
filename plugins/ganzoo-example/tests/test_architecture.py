"""What is special about a network that paints by places."""

import torch
from ganzoo_example.architecture import Painter, places
from ganzoo_example.spec import CPPNParams

from ganzoo.api import Setting


def painter(side: int) -> Painter:
    torch.manual_seed(0)
    return Painter(CPPNParams(latent=4, width=16), Setting((1, side, side)))


def test_a_larger_image_is_the_same_picture_in_more_detail() -> None:
    """Places are relative: every second pixel of 17x17 is a pixel of 9x9."""
    z = torch.randn(2, 4, generator=torch.Generator().manual_seed(1))
    small, large = painter(9)(z, None), painter(17)(z, None)
    assert torch.allclose(large[:, :, ::2, ::2], small, atol=1e-6)


def test_places_are_rows_columns_distances_and_waves() -> None:
    found = places(3, 3, frequencies=1)
    assert found.shape == (9, 7)
    assert torch.allclose(found[0, :3], torch.tensor([-1.0, -1.0, 2**0.5]))
    assert torch.equal(found[4, :3], torch.zeros(3))


def test_each_image_is_drawn_from_its_own_latent() -> None:
    z = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
    network = painter(8)
    assert torch.allclose(network(z, None)[1:2], network(z[1:2], None), atol=1e-6)
