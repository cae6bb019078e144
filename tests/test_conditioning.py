"""The tricks that condition the networks on classes."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from zoo import component, fresh_step, networks, step_on, trainer

import ganzoo
from ganzoo.api import Networks, Setting
from ganzoo.errors import IncompatibleError, ParameterError
from ganzoo.registry.lookup import installed
from ganzoo.sampler import Sampler
from ganzoo.train.game import build_game
from ganzoo.train.step import Batch, discriminator_terms, frozen, generator_terms

SMALL = {"model": "mlp:generator=16,discriminator=16", "recipe": {"steps": 4, "batch_size": 8}}


def classifier(**weights):
    """An auxiliary classifier of two classes on two features, whose logits are the features."""
    trick = component("trick", "auxiliary-classifier", **weights)
    unused = nn.Identity()
    made = trick.modules(Networks(unused, unused, unused, latent=2, features=2), Setting((2, 1, 1), 2))
    with torch.no_grad():
        made["discriminator"].weight.copy_(torch.eye(2))
        made["discriminator"].bias.zero_()
    return trick


def labelled(player="discriminator"):
    """A step on two images of classes 0 and 1, whose features are (log 3, 0) where real and (0, 0) where fake."""
    real = torch.tensor([math.log(3), 0.0]).repeat(2, 1).view(2, 2, 1, 1)
    step = step_on(nn.Flatten(0), real, torch.zeros(2, 2, 1, 1), player)
    step.labels = torch.tensor([0, 1])
    return step


def test_the_classifiers_loss_is_the_likelihood_of_the_class():
    """P(0) is 3/4 for real images and 1/2 for fake ones (equation 3)."""
    terms = classifier().discriminator(labelled())
    assert terms["real"].item() == pytest.approx(-(math.log(3 / 4) + math.log(1 / 4)) / 2)
    assert terms["fake"].item() == pytest.approx(math.log(2))
    (fake,) = classifier().generator(labelled("generator")).values()
    assert fake.item() == pytest.approx(math.log(2))


def test_each_player_has_its_weight():
    trick = classifier(discriminator=2, generator=0.5)
    assert trick.discriminator(labelled())["fake"].item() == pytest.approx(2 * math.log(2))
    assert trick.generator(labelled("generator"))["fake"].item() == pytest.approx(math.log(2) / 2)


def test_the_discriminator_trains_the_classifier_on_real_and_fake_and_the_generator_does_not():
    one = trainer(trick="auxiliary-classifier", **SMALL)
    (made,) = one.game.extras["discriminator"]
    assert made.weight.shape == (10, 16) and not len(one.game.extras["generator"])
    for term in ("real", "fake"):
        terms = discriminator_terms(one.game, fresh_step(one, "discriminator"))
        (slope,) = torch.autograd.grad(terms[f"auxiliary-classifier/{term}"], made.weight)
        assert slope.abs().sum() > 0
    with frozen(one.modules["discriminator"]):
        term = generator_terms(one.game, fresh_step(one))["auxiliary-classifier/fake"]
        term.backward()
    assert made.weight.grad is None
    assert all(weight.grad is not None for weight in one.game.networks.generator.parameters())


def test_the_classifier_learns_classes_that_can_be_told():
    one = trainer(trick="auxiliary-classifier", loss="hinge", **SMALL | {"recipe": {"steps": 60, "batch_size": 32}})
    pixels = torch.zeros(64, *one.run.shape)
    labels = torch.arange(64) % 10
    pixels.flatten(1)[torch.arange(64), labels] = 1.0  # one pixel a class
    (made,) = one.game.extras["discriminator"]
    optimizer, losses = torch.optim.Adam(one.modules["discriminator"].parameters(), 1e-2), []
    for _ in range(40):
        batch = Batch(pixels, pixels.clone(), torch.zeros(64, one.game.networks.latent), labels)
        step = one._player_step("discriminator", 0, batch)
        losses.append(sum(one.game.tricks[0][1].discriminator(step).values()))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    right = made(one.game.networks.body(pixels)).argmax(1) == labels
    assert losses[-1] < losses[0] / 2 and right.float().mean() > 0.9


def test_both_networks_are_told_the_class():
    one = trainer(trick="auxiliary-classifier", **SMALL)
    assert one.game.setting.classes == 10
    one.game.networks.generator.eval()
    z = torch.randn(1, one.game.networks.latent)
    images = [one.game.networks.generator(z, torch.tensor([y])) for y in (1, 2)]
    assert not torch.equal(*images)


@pytest.mark.parametrize("classes", [[0, 9], np.array([0, 9]), np.array([0, 9], np.uint16)])
def test_images_of_given_classes_can_be_drawn(classes):
    assert conditional().sample(2, classes=classes).equal(conditional().sample(2, classes=torch.tensor([0, 9])))


@pytest.mark.parametrize("classes", [[0, 10], [-1, 3], [0.0, 1.0], [True, False], [1], [[0], [1]]])
def test_classes_that_do_not_fit_are_refused(classes):
    with pytest.raises(ParameterError, match=r"^classes: "):
        conditional().sample(2, classes=torch.tensor(classes))


def conditional() -> Sampler:
    run = ganzoo.plan(loss="bce", trick="projection", **SMALL).runs[0]
    return Sampler(run, build_game(run, torch.device("cpu")), torch.device("cpu"))


def test_the_projection_adds_the_product_of_features_and_the_vector_of_the_class():
    """D(x, y) = D(x) + e_y . f(x) (Miyato & Koyama 2018, equation 3), whatever head there was."""
    setting = Setting((1, 8, 8), 10)
    plain = networks("mlp", setting)
    made = component("trick", "projection").wrap(plain, setting)
    f, y = torch.randn(4, plain.features), torch.tensor([3, 0, 9, 3])
    e = made.head.get_parameter("classes.weight")
    expected = plain.head(f, None) + torch.stack([e[c] @ features for c, features in zip(y.tolist(), f, strict=True)])
    assert e.shape == (10, plain.features) and torch.allclose(made.head(f, y), expected, atol=1e-5)


@pytest.mark.parametrize("trick", ["auxiliary-classifier", "projection"])
def test_images_without_labels_are_no_use(trick):
    assert "these images have none" in installed().get("trick", trick).usable_spec.requires["labels"]


def test_packed_images_cannot_be_classified():
    with pytest.raises(IncompatibleError, match="auxiliary-classifier: images that are judged together"):
        ganzoo.plan(model="mlp", loss="bce", trick="auxiliary-classifier,packing")


def test_it_composes_with_projection():
    one = trainer(trick="auxiliary-classifier,projection", **SMALL)
    one.step()
    assert {"auxiliary-classifier/real", "bce/real"} <= set(
        discriminator_terms(one.game, fresh_step(one, "discriminator"))
    )
