"""Tricks on weights and rates: the papers' formulas on known weights, what they leave alone, and what they are for."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cosine_similarity
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized
from zoo import component, fresh_step, networks, play, step_on, trainer

import ganzoo
from ganzoo.api import Networks, Progress, Rates, Setting
from ganzoo.errors import IncompatibleError
from ganzoo.train.step import generator_terms
from ganzoo.zoo.tricks.orthogonal import filters, off_diagonal

SHORT = {"steps": 4, "batch_size": 8, "n_critic": 2}
SETTING = Setting((1, 8, 8))
NO_IMAGES = step_on(nn.Identity(), torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1))  # their terms look at none


class Number(nn.Module):
    """A network of one weight."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor([value]))


def made_of(generator: nn.Module, body: nn.Module) -> Networks:
    return Networks(generator, body, nn.Identity(), latent=1, features=1)


def attached(name: str, made: Networks, **values):
    """A trick that knows the networks."""
    trick = component("trick", name, **values)
    trick.modules(trick.wrap(made, SETTING), SETTING)
    return trick


def costs(trick) -> tuple[float, float]:
    """What generator and discriminator pay."""
    generator, discriminator = trick.generator(NO_IMAGES), trick.discriminator(NO_IMAGES)
    return sum(term.item() for term in generator.values()), sum(term.item() for term in discriminator.values())


# Historical averaging ------------------------------------------------------------------------------------------------


def test_the_cost_is_the_squared_distance_from_the_mean_of_all_past_weights():
    made = made_of(Number(1.0), Number(1.0))
    trick = attached("historical-averaging", made, weight=3.0)
    found = []
    for value in (3.0, 8.0, -2.0):
        with torch.no_grad():
            made.generator.value.fill_(value)
        found.append(costs(trick))
        trick.after_step("generator", made, 0)
    expected = [3 * (3 - 1) ** 2, 3 * (8 - 2) ** 2, 3 * (-2 - 4) ** 2]  # the means of 1; 1, 3; and 1, 3, 8
    assert [generator for generator, _ in found] == pytest.approx(expected)
    assert [discriminator for _, discriminator in found] == [0, 0, 0]  # which has not moved


def test_the_mean_is_of_both_players_updates():
    one = trainer(trick="historical-averaging", recipe=SHORT)
    one.step()
    one.step()
    assert {player: past.t.item() for player, past in one.game.tricks[0][1].past.items()} == {
        "generator": 1 + 2,
        "discriminator": 1 + 2 * 2,
    }


def test_historical_averaging_starts_without_effect():
    one, plain = (trainer(trick=trick, recipe=SHORT) for trick in ("historical-averaging", ()))
    for each in (one, plain):
        play(each, "discriminator")
    assert all(map(torch.equal, *(each.modules["discriminator"].parameters() for each in (one, plain))))
    assert generator_terms(one.game, fresh_step(one))["historical-averaging/distance"].item() == 0


def test_historical_averaging_sees_what_later_tricks_made_of_the_networks():
    one = trainer(trick="historical-averaging,projection,spectral-norm", model="mlp:critic_norm=none", recipe=SHORT)
    noted = {id(weight) for weights in one.game.tricks[0][1].theta.values() for weight in weights}
    assert noted == {id(weight) for module in one.modules.values() for weight in module.parameters()}


def toy_game(weight: float) -> float:
    """Play the game of Salimans et al. 2016, section 3.3, and return how far from its equilibrium (1, 1) it ends.

    V(x, y) = (f(x) - 1)(y - 1), with f(x) = x below 0 and x^2 above; one player minimises in x, one maximises in y.
    """
    made = made_of(Number(1.5), Number(0.0))
    x, y = made.generator.value, made.body.value
    trick = attached("historical-averaging", made, weight=weight)
    for number in range(1500):
        for player, own, sign in (("discriminator", y, -1), ("generator", x, 1)):
            value = (torch.where(x < 0, x, x.square()) - 1) * (y - 1)
            (term,) = getattr(trick, player)(NO_IMAGES).values()
            (slope,) = torch.autograd.grad(sign * value.sum() + term, own)
            with torch.no_grad():
                own.sub_(0.05 * slope)
            trick.after_step(player, made, number)
    return math.hypot(x.item() - 1, y.item() - 1)


def test_historical_averaging_finds_the_equilibrium_that_gradient_descent_circles():
    assert toy_game(0.0) > 1
    assert toy_game(1.0) < 0.1


# Orthogonal regularisation -------------------------------------------------------------------------------------------


def naive(weight: torch.Tensor) -> float:
    """||W^T W * (1 - I)||_F^2, with the filters in W's columns, from rows (filters, length)."""
    gram = weight @ weight.T
    return (gram * (1 - torch.eye(len(weight)))).square().sum().item()


@pytest.mark.parametrize("shape", [(3, 7), (7, 3), (4, 4), (1, 5)])
def test_the_penalty_is_the_off_diagonal_of_the_gram_matrix(shape):
    w = torch.randn(shape)
    assert off_diagonal(w[None]).item() == pytest.approx(naive(w), rel=1e-4)


@pytest.mark.parametrize(
    ("layer", "shape", "groups"),
    [
        (nn.Linear(6, 5), (1, 6), 1),
        (nn.Conv2d(3, 5, 2), (1, 3, 4, 4), 1),
        (nn.ConvTranspose2d(3, 5, 2), (1, 3, 4, 4), 1),
        (nn.Conv2d(6, 4, 2, groups=2), (1, 6, 4, 4), 2),
        (nn.ConvTranspose2d(6, 4, 2, groups=2), (1, 6, 4, 4), 2),
    ],
    ids=str,
)
def test_a_filter_is_what_one_output_channel_reads(layer, shape, groups):
    """The slope of an output with respect to the input is its filter, however a layer stores them."""
    found = filters(layer)
    assert len(found) == groups
    x = torch.zeros(shape, requires_grad=True)
    y = layer(x)
    for channel, expected in enumerate(found.flatten(0, 1)):
        (slope,) = torch.autograd.grad(y[(0, channel, 1, 1)[: y.ndim]], x, retain_graph=True)
        assert sorted(slope[slope != 0].tolist()) == pytest.approx(sorted(expected.tolist()))


def test_the_regularised_layers_are_the_generators_unless_told():
    made = networks("dcgan", SETTING, width=8)
    found = [module for module in made.generator.modules() if isinstance(module, nn.Linear | nn.ConvTranspose2d)]
    expected = 1e-4 * sum(naive(filters(layer)[0]) for layer in found)
    generator, discriminator = costs(attached("orthogonal", made))
    assert (generator, discriminator) == (pytest.approx(expected, rel=1e-3), 0)
    assert costs(attached("orthogonal", made, discriminator=True))[1] > 0


@pytest.mark.parametrize(
    ("name", "player"),
    [("orthogonal", "generator"), ("weight-decay", "discriminator"), ("spectral-norm", "discriminator")],
)
def test_who_finds_no_layer_of_its_own_in_a_network_says_so(name, player):
    others, usual = Number(1.0), nn.Linear(2, 2)
    networks = {"generator": (others, usual), "discriminator": (usual, others)}
    with pytest.raises(IncompatibleError, match=f"^{name}: this {player} has none of the layers"):
        attached(name, made_of(*networks[player]))


def test_weight_decay_needs_no_layer_of_a_player_that_pays_nothing():
    generator, discriminator = costs(attached("weight-decay", made_of(nn.Linear(2, 2), Number(1.0)), discriminator=0.0))
    assert generator > 0 and discriminator == 0


def test_embeddings_are_no_filters():
    generator = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 3))
    with_embedding, without = (made_of(each, nn.Linear(2, 2)) for each in (generator, generator[1]))
    assert costs(attached("orthogonal", with_embedding)) == costs(attached("orthogonal", without))


def test_orthogonal_filters_of_any_length_cost_nothing():
    q = torch.linalg.qr(torch.randn(6, 4))[0].T  # four orthonormal rows
    layer = nn.Linear(6, 4)
    layer.weight.data = q * torch.tensor([[0.1], [1.0], [5.0], [20.0]])
    assert costs(attached("orthogonal", made_of(layer, nn.Linear(2, 2))))[0] == pytest.approx(0, abs=1e-10)


def test_descending_the_penalty_turns_filters_apart():
    torch.manual_seed(0)
    layer = nn.Linear(8, 4)
    before = layer.weight.detach().norm(dim=1)
    trick = attached("orthogonal", made_of(layer, nn.Linear(2, 2)), beta=1.0)
    for _ in range(200):
        (slope,) = torch.autograd.grad(trick.generator(NO_IMAGES)["penalty"], layer.weight)
        with torch.no_grad():
            layer.weight -= 0.2 * slope
    angles = cosine_similarity(layer.weight[:, None], layer.weight[None], dim=2) - torch.eye(4)
    assert angles.abs().max() < 1e-2
    assert (layer.weight.norm(dim=1) / before).min() > 0.3  # shorter, and far from 0


@pytest.mark.parametrize("name", ["orthogonal", "weight-decay"])
def test_under_spectral_norm_the_free_weight_counts_and_no_power_iteration_is_made(name):
    plain, normed = nn.Linear(6, 4), spectral_norm(nn.Linear(6, 4))
    normed.parametrizations.weight.original.data.copy_(plain.weight)
    vectors = [buffer.clone() for buffer in normed.buffers()]
    body = nn.Linear(2, 2)
    assert costs(attached(name, made_of(plain, body))) == costs(attached(name, made_of(normed, body)))
    assert all(map(torch.equal, vectors, normed.buffers()))


# Spectral norm -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", ["projection", "minibatch-discrimination"])
def test_spectral_norm_takes_in_what_tricks_around_it_add_to_the_discriminator(other):
    """SAGAN's class vectors are normalised (Zhang et al. 2019, release), whichever trick is named first."""
    for order in (f"spectral-norm,{other}", f"{other},spectral-norm"):
        one = trainer(model="mlp:critic_norm=none", loss="hinge", trick=order, recipe=SHORT)
        one.step()
        parts = (one.game.networks.body, one.game.networks.head)
        kinds = nn.Linear | nn.Embedding
        weighted = [module for part in parts for module in part.modules() if isinstance(module, kinds)]
        assert len(weighted) > 4 and all(is_parametrized(module, "weight") for module in weighted), order


# Weight decay --------------------------------------------------------------------------------------------------------


def small_network() -> nn.Sequential:
    return nn.Sequential(nn.Embedding(3, 4), nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 2))


def test_weight_decay_is_half_lambda_times_the_squared_weights_of_each_player():
    made = made_of(small_network(), nn.Conv2d(1, 2, 3))
    found = costs(attached("weight-decay", made, generator=0.4, discriminator=6.0))
    weights = [module.weight for module in made.generator if not isinstance(module, nn.BatchNorm1d)]
    expected = 0.2 * sum(weight.square().sum().item() for weight in weights), 3 * made.body.weight.square().sum().item()
    assert found == pytest.approx(expected)


def test_the_slope_of_weight_decay_is_lambda_times_the_weight():
    """What DCGAN's release adds to the gradient, with its lambda."""
    made = networks("mlp", SETTING)
    trick = attached("weight-decay", made)
    trick.generator(NO_IMAGES)["l2"].backward()
    weight = made.generator.output.weight
    torch.testing.assert_close(weight.grad, 1e-5 * weight)


def test_biases_and_norms_are_exempt_unless_told():
    for told in (False, True):
        made = made_of(small_network(), nn.Linear(2, 2))
        attached("weight-decay", made, everything=told).generator(NO_IMAGES)["l2"].backward()
        exempt = [made.generator[1].bias, *made.generator[2].parameters(), made.generator[3].bias]
        assert all((weight.grad is not None) == told for weight in exempt)


def test_a_player_without_weight_decay_has_no_term():
    trick = attached("weight-decay", made_of(nn.Linear(2, 2), nn.Linear(2, 2)), generator=0.0)
    assert (trick.generator(NO_IMAGES), list(trick.discriminator(NO_IMAGES))) == ({}, ["l2"])


def test_weight_decay_makes_weights_smaller():
    norms = {}
    for weight in (0.0, 1.0):
        one = trainer(trick=f"weight-decay:generator={weight}", recipe={"steps": 10, "batch_size": 8})
        for _ in range(10):
            one.step()
        norms[weight] = one.game.networks.generator.output.weight.norm().item()
    assert norms[1.0] < 0.95 * norms[0.0]


# Learning-rate decay -------------------------------------------------------------------------------------------------

RATES = Rates(generator_lr=2.0, discriminator_lr=4.0, beta1=0.0, beta2=0.9, ema_half_life=7.0)


def factor(step: int, **values) -> float:
    rates = component("trick", "lr-decay", **values).schedule(RATES, Progress(step, 100, 0))
    assert rates == RATES._replace(generator_lr=rates.generator_lr, discriminator_lr=2 * rates.generator_lr)
    return rates.generator_lr / 2


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {0: 1, 1: 0.99, 50: 0.5, 99: 0.01}),  # WGAN-GP's release: 1 - iteration / iterations
        ({"start": 0.5}, {0: 1, 50: 1, 75: 0.5, 99: 0.02}),
        ({"final": 0.1}, {0: 1, 50: 0.55, 100: 0.1}),
        ({"start": 0.2, "final": 0.5}, {20: 1, 60: 0.75, 100: 0.5}),
        ({"shape": "cosine"}, {0: 1, 25: (1 + math.sqrt(0.5)) / 2, 50: 0.5, 100: 0}),
        ({"shape": "cosine", "start": 0.5, "final": 0.2}, {50: 1, 75: 0.6, 100: 0.2}),
        ({"start": 1.0}, {0: 1, 99: 1}),
        ({"final": 1.0}, {0: 1, 99: 1}),
    ],
)
def test_both_learning_rates_fall_and_nothing_else(values, expected):
    assert {step: factor(step, **values) for step in expected} == pytest.approx(expected)


def test_by_default_the_optimisers_get_what_the_recipes_linear_schedule_gives():
    used = {}
    for name, request in (("trick", {"trick": "lr-decay"}), ("recipe", {"recipe": {"lr_schedule": "linear"}})):
        one = trainer(trick=request.get("trick", ()), recipe=SHORT | request.get("recipe", {}))
        used[name] = []
        for _ in range(4):
            one.step()
            used[name].append([optimizer.param_groups[0]["lr"] for optimizer in one.optimizers.values()])
    assert used["trick"] == used["recipe"]
    assert used["trick"][-1] == [pytest.approx(2e-4 / 4)] * 2


def test_the_trick_stands_in_for_a_schedule_of_the_recipe():
    (run,) = ganzoo.plan(model="resnet", loss="hinge", trick="lr-decay", dataset="cifar10").runs
    assert run.recipe["lr_schedule"] == "constant"


# Training ------------------------------------------------------------------------------------------------------------

ALL = "historical-averaging,orthogonal:discriminator=true,weight-decay,lr-decay:start=0.2"


def trained(steps: int):
    one = trainer(trick=ALL, loss="hinge", model="dcgan:width=8", recipe=SHORT)
    for _ in range(steps):
        one.step()
    return one


def weights_of(one) -> list[torch.Tensor]:
    return [*one.modules["generator"].parameters(), *one.modules["discriminator"].parameters()]


def test_a_run_with_all_of_them_is_a_function_of_its_seed():
    assert all(map(torch.equal, weights_of(trained(3)), weights_of(trained(3))))


def test_a_resumed_run_goes_on_bit_by_bit():
    whole, resumed = trained(2), trained(0)
    resumed.load_state_dict(copy.deepcopy(whole.state_dict()))
    for one in (whole, resumed):
        one.step()
        one.step()
    assert all(
        torch.equal(a, b) and a.isfinite().all() for a, b in zip(*map(weights_of, (whole, resumed)), strict=True)
    )
    pasts = [one.game.tricks[0][1].past["generator"].state_dict() for one in (whole, resumed)]
    assert all(torch.equal(pasts[0][key], pasts[1][key]) for key in ("mean", "t"))
