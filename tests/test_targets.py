"""Tricks on the discriminator's targets and answers: flipped labels, and learning from the best of a batch."""

import copy

import pytest
import torch
from torch.nn.functional import softplus
from zoo import Linear, component, fresh_step, step_on, trainer

import ganzoo
from ganzoo.api import Progress, Rates, Targets
from ganzoo.registry.lookup import installed
from ganzoo.train.step import discriminator_terms, generator_terms

SHORT = {"steps": 4, "batch_size": 8, "n_critic": 2}
RATES = Rates(1e-4, 1e-4, 0.5, 0.9, 0.0)
PLAIN = Targets(torch.ones(4000), torch.zeros(4000))


def step():
    images = torch.zeros(4, 1, 1, 1)
    return step_on(Linear(1, 1), images, images)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.4, 1.0])
def test_a_share_of_either_batch_is_told_the_opposite(share):
    flipped = component("trick", "label-flipping", share=share).targets(PLAIN, step())
    assert set(torch.cat(flipped).tolist()) <= {0.0, 1.0}
    assert (1 - flipped.real.mean()).item() == pytest.approx(share, abs=0.03)
    assert flipped.fake.mean().item() == pytest.approx(share, abs=0.03)
    if 0 < share < 1:
        assert not torch.equal(flipped.real, 1 - flipped.fake)  # each batch has its own draw


def test_flipping_and_smoothing_come_to_the_same_in_either_order():
    tricks = [component("trick", "label-flipping", share=0.3), component("trick", "label-smoothing", fake=0.1)]
    results = []
    for order in (tricks, tricks[::-1]):
        targets, seen = PLAIN, step()
        for trick in order:
            targets = trick.targets(targets, seen)
        results.append(torch.cat(targets))
    assert torch.equal(*results)
    assert sorted(set(results[0].tolist())) == pytest.approx([0.1, 0.9])


def test_flips_are_drawn_from_the_steps_rng():
    trick, seen = component("trick", "label-flipping", share=0.5), step()
    first, second = trick.targets(PLAIN, seen), trick.targets(PLAIN, seen)
    assert not torch.equal(first.real, second.real)
    assert torch.equal(first.real, trick.targets(PLAIN, step()).real)


def test_a_discriminator_whose_labels_are_all_flipped_learns_the_opposite_and_the_generator_as_ever():
    one = trainer(trick="label-flipping:share=1", recipe=SHORT)
    seen = fresh_step(one, "discriminator")
    terms = discriminator_terms(one.game, seen)
    assert terms["bce/real"].item() == pytest.approx(softplus(seen.judge(seen.real).logits).mean().item())
    assert terms["bce/fake"].item() == pytest.approx(softplus(-seen.judge(seen.fake).logits).mean().item())
    seen = fresh_step(one)
    term = generator_terms(one.game, seen)["bce/fake"]
    assert term.item() == pytest.approx(softplus(-seen.judge(seen.fake).logits).mean().item())


def test_flipping_needs_targets():
    with pytest.raises(ganzoo.errors.IncompatibleError, match="label-flipping needs targets"):
        ganzoo.plan(model="mlp", loss="hinge", trick="label-flipping")


# Top-k --------------------------------------------------------------------------------------------------------------


def top_k(images_seen: int, **values):
    trick = component("trick", "top-k", **values)
    assert trick.schedule(RATES, Progress(0, 1, images_seen)) == RATES
    return trick


def test_k_falls_by_gamma_an_epoch_down_to_nu():
    shares = [top_k(epoch * 50_000 + 49_999).share for epoch in (0, 1, 2, 68, 69, 1000)]
    assert shares == pytest.approx([1, 0.99, 0.99**2, 0.99**68, 0.5, 0.5])  # 0.99^69 is just below 1/2


class Identity(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten()


def judged(trick, player: str, which: str):
    """The verdict on a batch with logits 3, -1, 2, 0 (fake) or 4, 5, 6, 7 (real), as the trick changes it."""
    real, fake = torch.tensor([4.0, 5, 6, 7]), torch.tensor([3.0, -1, 2, 0], requires_grad=True)
    seen = step_on(Identity(), real.view(4, 1, 1, 1), fake.view(4, 1, 1, 1), player)
    images = getattr(seen, which)
    return trick.verdict(seen.judge(images), images, seen), fake


def test_the_generator_learns_from_the_k_best_alone():
    verdict, fake = judged(top_k(10**9, nu=0.5), "generator", "fake")
    assert sorted(verdict.logits.tolist()) == [2, 3]
    assert verdict.features.flatten().tolist() == [3, -1, 2, 0]
    verdict.logits.sum().backward()
    assert fake.grad is not None and fake.grad.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(("player", "which"), [("discriminator", "fake"), ("generator", "real")])
def test_nothing_else_is_dropped(player, which):
    assert len(judged(top_k(10**9), player, which)[0].logits) == 4


@pytest.mark.parametrize(("images_seen", "nu", "k"), [(0, 0.5, 4), (50_000, 0.5, 3), (10**9, 0.75, 3), (10**9, 0.0, 1)])
def test_k_is_a_whole_number_of_answers_and_at_least_one(images_seen, nu, k):
    assert len(judged(top_k(images_seen, nu=nu), "generator", "fake")[0].logits) == k


def test_the_generators_loss_is_the_mean_over_the_k_best():
    one = trainer(loss="hinge", trick="top-k:epoch=1,gamma=0,nu=0.5", recipe=SHORT)
    one.step()
    one._set_rates()  # of the second step: an epoch of one image has passed
    seen = fresh_step(one)
    term = generator_terms(one.game, seen)["hinge/fake"]
    whole = one.game.networks.head(seen.judge(seen.fake).features, None)
    assert term.item() == pytest.approx(-whole.topk(4).values.mean().item())


def bearing_top_k() -> list[str]:
    """Return the losses that do not pair their logits."""
    return [one.name for one in installed().of("loss") if "paired" not in one.usable_spec.provides]


@pytest.mark.parametrize("loss", bearing_top_k())
def test_every_loss_that_bears_it_learns_from_fewer_images_than_the_batch_has(loss):
    one = trainer(loss=loss, trick="top-k:epoch=1,gamma=0,nu=0.5", recipe=SHORT)
    one.step()
    before = [weight.clone() for weight in one.modules["generator"].parameters()]
    one.step()  # with half of the batch
    after = list(one.modules["generator"].parameters())
    assert not all(map(torch.equal, before, after)) and all(weight.isfinite().all() for weight in after)


def test_top_k_and_paired_losses_exclude_each_other():
    assert set(installed().get("trick", "top-k").usable_spec.conflicts) == {"paired"}
    paired = next(c.name for c in installed().of("loss") if "paired" in c.usable_spec.provides)
    with pytest.raises(ganzoo.errors.IncompatibleError, match="top-k"):
        ganzoo.plan(model="mlp", loss=paired, trick="top-k")


@pytest.mark.parametrize("trick", ["label-flipping", "top-k:epoch=16"])
def test_a_resumed_run_ends_bit_identical(trick):
    whole, resumed = (trainer(trick=trick, recipe=SHORT) for _ in range(2))
    for _ in range(2):
        whole.step()
    resumed.load_state_dict(copy.deepcopy(whole.state_dict()))
    for one in (whole, resumed):
        for _ in range(2):
            one.step()
    for player in whole.modules:
        pairs = zip(whole.modules[player].parameters(), resumed.modules[player].parameters(), strict=True)
        assert all(torch.equal(*pair) for pair in pairs)
