"""What a trick can change: each hook is called where its docstring says, by a trainer that knows no trick."""

import torch
from zoo import fresh_step, trainer

from ganzoo.api import NoParams, Targets, Trick, Verdict
from ganzoo.train.step import discriminator_terms, generator_terms

SHORT = {"steps": 4, "batch_size": 8, "n_critic": 2}


def with_trick(kind: type[Trick], **request):
    one = trainer(recipe=SHORT, **request)
    made = kind(NoParams())
    one.game.tricks.append(("added", made))
    return one, made


class Doubled(Trick[NoParams]):
    """Doubles the generator's learning rate from the third step on, and notes the progress."""

    def schedule(self, rates, progress):
        self.seen = progress
        return rates._replace(generator_lr=rates.generator_lr * (2 if progress.step >= 2 else 1), beta2=0.9)


def test_a_schedule_sets_the_rates_of_the_next_step():
    one, trick = with_trick(Doubled)
    used = []
    for _ in range(4):
        one.step()
        used.append([one.optimizers[player].param_groups[0]["lr"] for player in ("generator", "discriminator")])
    assert used == [[2e-4, 2e-4]] * 2 + [[4e-4, 2e-4]] * 2
    assert one.optimizers["generator"].param_groups[0]["betas"] == (0.5, 0.9)
    assert trick.seen == (3, 4, 48)  # the fourth step of four, after three of two batches of eight


class Halved(Trick[NoParams]):
    """Sets the average's half-life to 0, with which it follows the weights."""

    def schedule(self, rates, progress):
        return rates._replace(ema_half_life=0.0)


def test_a_schedule_reaches_the_weight_average():
    one, _ = with_trick(Halved, trick="ema")
    for _ in range(3):
        one.step()
    weights = one.game.networks.generator.parameters()
    assert all(map(torch.equal, one.game.sampler().parameters(), weights))


class Inverted(Trick[NoParams]):
    def real(self, images, rng):
        return -images


def test_real_images_are_changed_before_anyone_sees_them():
    plain, (inverted, _) = trainer(recipe=SHORT), with_trick(Inverted)
    assert torch.equal(inverted._real(inverted.batches.next()), -plain._real(plain.batches.next()))


class Best(Trick[NoParams]):
    """Keeps the two fakes with the highest logits in the generator's step."""

    def verdict(self, verdict, images, step):
        if step.player == "discriminator" or images is not step.fake:
            return verdict
        best = verdict.logits.topk(2).indices
        return Verdict(verdict.logits[best], verdict.features[best])


def test_a_verdict_can_be_changed_for_one_player_alone():
    one, _ = with_trick(Best)
    step = fresh_step(one, "generator")
    assert (len(step.judge(step.fake).logits), len(step.judge(step.real).logits)) == (2, 8)
    step = fresh_step(one, "discriminator")
    assert len(step.judge(step.fake).logits) == 8


class OneStepAhead(Trick[NoParams]):
    """Unrolls the discriminator by one step of gradient descent."""

    def opponent(self, opponent, step):
        names, weights = zip(*opponent.weights.items(), strict=True)
        before = opponent.objective()
        slopes = torch.autograd.grad(before, weights, create_graph=True)
        ahead = opponent.moved({n: w - 0.1 * s for n, w, s in zip(names, weights, slopes, strict=True)})
        self.gained = (before - ahead.objective()).item()
        return ahead


def test_the_generator_can_play_against_the_discriminator_of_the_future():
    now, (ahead, trick) = trainer(model="mlp:norm=none", recipe=SHORT), with_trick(OneStepAhead, model="mlp:norm=none")
    before = [weight.clone() for weight in ahead.modules["discriminator"].parameters()]
    terms = [generator_terms(one.game, fresh_step(one))["bce/fake"] for one in (now, ahead)]
    assert trick.gained > 0
    slopes = [
        torch.autograd.grad(term, list(one.game.networks.generator.parameters()))
        for term, one in zip(terms, (now, ahead), strict=True)
    ]
    assert not any(map(torch.allclose, *slopes))
    assert all(map(torch.equal, before, ahead.modules["discriminator"].parameters()))  # it has not moved itself


def test_nobody_plays_ahead_unless_told():
    one = trainer(recipe=SHORT)
    step = fresh_step(one)
    generator_terms(one.game, step)
    assert step.judged_by == one.game.judge


class Counted(Trick[NoParams]):
    def __init__(self, params):
        super().__init__(params)
        self.updates = []

    def after_step(self, player, networks, number):
        self.updates.append((player, number))


def test_a_trick_acts_after_every_update_of_either_player():
    one, trick = with_trick(Counted)
    one.step()
    one.step()
    turn = ["discriminator", "discriminator", "generator"]
    assert trick.updates == [(player, number) for number in (0, 1) for player in turn]


class Flipped(Trick[NoParams]):
    def targets(self, targets, step):
        return Targets(real=targets.fake, fake=targets.real)


def test_targets_are_changed_in_the_discriminators_step():
    one, _ = with_trick(Flipped)
    step = fresh_step(one, "discriminator")
    discriminator_terms(one.game, step)
    assert step.targets.real.sum() == 0 and step.targets.fake.sum() == 8
