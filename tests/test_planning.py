"""Planning: a grid becomes checked runs; every choice, refusal and identity has a reason."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

import ganzoo
from ganzoo.api import Recipe
from ganzoo.errors import (
    BrokenPluginError,
    IncompatibleError,
    ParameterError,
    SuiteError,
    UnknownComponentError,
)
from ganzoo.planning.command import RunOptions, plan_from
from ganzoo.planning.fold import BASE, fold
from ganzoo.planning.grid import Plan
from ganzoo.planning.request import Layer
from ganzoo.planning.run import Run

PER_SAMPLE = "its penalty is per sample, and batch norm couples the samples of a batch"
RESCALES = "the norm rescales activations by the data, which undoes the Lipschitz bound of the weights"

PLUGIN = """
from dataclasses import dataclass, make_dataclass
from ganzoo.api import DataInfo, DatasetSpec, NoParams, Recipe, Spec, param

NORMS = ("a", "b", "c")

@dataclass(frozen=True)
class Norm:
    norm: str = param("{default}", "a norm", choices=NORMS, trait="norm")

ARCH = Spec(kind="architecture", target="x:y", summary="", params=Norm)
LOSS = Spec(kind="loss", target="x:y", summary="", {loss})
DATA = DatasetSpec(target="x:y", summary="", extractor="digits-cnn",
                   describe=lambda params, root: DataInfo({shape}, {train}, {test}, {classes}))
"""


@pytest.fixture
def plugin(make_distribution):
    """Return a function that registers the components `arch`, `loss-x` and `data` with these properties."""

    def install(default="a", loss="", shape=(1, 8, 8), train=200, test=50, classes=0) -> None:
        groups = {"architectures": {"arch": "ARCH"}, "losses": {"loss-x": "LOSS"}, "datasets": {"data": "DATA"}}
        entries = {f"ganzoo.{group}": {k: f"fake_plugin:{v}" for k, v in one.items()} for group, one in groups.items()}
        values = {"default": default, "loss": loss, "shape": shape, "train": train, "test": test, "classes": classes}
        make_distribution("ganzoo-fake", entries, {"fake_plugin": PLUGIN.format(**values)})

    return install


def plan(**request) -> Plan:
    return ganzoo.plan(**{"model": "dcgan", "loss": "bce", **request})


def only(made: Plan) -> Run:
    (run,) = made.runs
    return run


def names(made: Plan) -> list[str]:
    return [run.combination for run in made.combinations]


@pytest.fixture
def suite(tmp_path):
    """Return a function that writes a suite file."""

    def write(text: str) -> Path:
        file = tmp_path / "suite.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


# Recipes -------------------------------------------------------------------------------------------------------------


def test_the_base_recipe_has_an_opinion_on_everything():
    values, sources = fold([])
    assert values == dataclasses.asdict(BASE)
    assert None not in values.values()
    assert set(sources.values()) == {"ganzoo"}


def test_a_later_layer_replaces_only_what_it_has_an_opinion_on():
    layers = [Layer("first", Recipe(steps=5, beta1=0.1)), Layer("second", Recipe(steps=6))]
    values, sources = fold(layers)
    assert (values["steps"], sources["steps"]) == (6, "second")
    assert (values["beta1"], sources["beta1"]) == (0.1, "first")
    assert (values["beta2"], sources["beta2"]) == (BASE.beta2, "ganzoo")


def test_recipes_fold_from_dataset_to_command_line(suite):
    file = suite('model = "dcgan"\nloss = "wgan-gp"\ntrick = "ttur"\n[recipe]\nbeta1 = 0.25\nbeta2 = 0.75\n')
    run = only(ganzoo.plan(file, recipe={"beta2": "0.5"}))
    expected = {
        "steps": (1000, "digits"),
        "batch_size": (64, "wgan-gp"),  # over dcgan's 128
        "optimizer": ("adam", "wgan-gp"),  # over dcgan's
        "n_critic": (1, "ttur"),  # over wgan-gp's 5
        "discriminator_lr": (3e-4, "ttur"),
        "beta1": (0.25, str(file)),
        "beta2": (0.5, "command line"),
    }
    assert {key: (run.recipe[key], run.sources[key]) for key in expected} == expected


def test_a_recipe_may_depend_on_the_parameters():
    assert only(plan(loss="wgan-gp:n_critic=3")).recipe["n_critic"] == 3
    assert only(plan(trick="ema:half_life=500")).recipe["ema_half_life"] == 500.0


def test_of_two_tricks_the_later_decides():
    run = only(plan(trick=["ema:half_life=5", "ttur:n_critic=2"]))
    assert (run.sources["ema_half_life"], run.sources["n_critic"]) == ("ema, as given", "ttur, as given")


def test_a_plugins_recipe_is_checked_as_a_users_is(plugin):
    plugin(loss='recipe=Recipe(steps="many")')
    with pytest.raises(ParameterError, match=r'^the recipe of ganzoo-fake/loss-x: steps takes int, not "many"$'):
        plan(loss="loss-x")


# Negotiation ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "norm", "adjusted"),
    [
        ({}, "batch", []),
        ({"loss": "wgan-gp"}, "layer", [f"dcgan: critic norm = layer (wgan-gp excludes batch: {PER_SAMPLE})"]),
        (
            {"trick": "spectral-norm"},
            "none",
            [f"dcgan: critic norm = none (spectral-norm excludes batch, layer, instance: {RESCALES})"],
        ),
        (
            {"loss": "wgan-gp", "trick": "spectral-norm"},
            "none",
            [
                f"dcgan: critic norm = none (wgan-gp excludes batch: {PER_SAMPLE}; "
                f"spectral-norm excludes layer, instance: {RESCALES})"
            ],
        ),
        ({"model": "dcgan:critic_norm=instance", "loss": "wgan-gp"}, "instance", []),
        ({"model": "mlp", "loss": "wgan-gp", "trick": "spectral-norm"}, "none", []),
    ],
)
def test_the_plan_takes_the_first_norm_that_nothing_excludes(request_, norm, adjusted):
    run = only(plan(**request_))
    assert run.architecture.params["critic_norm"] == norm
    assert list(run.adjustments) == adjusted


@pytest.mark.parametrize("model", ["dcgan:critic_norm=batch", "dcgan:width=8,critic_norm=batch"])
def test_what_the_user_fixed_is_not_changed_but_refused_with_the_reason(model):
    with pytest.raises(IncompatibleError, match=rf"wgan-gp excludes critic-norm:batch \(dcgan\): {PER_SAMPLE}"):
        plan(model=model, loss="wgan-gp")


def test_a_default_behind_the_choice_taken_is_explained_too(plugin):
    plugin(default="b", loss='conflicts={"norm:b": "b is not for it"}')
    run = only(plan(model="arch", loss="loss-x"))
    assert run.architecture.params["norm"] == "a"
    assert run.adjustments == ("arch: norm = a (loss-x excludes b: b is not for it)",)


def test_where_every_choice_is_excluded_the_default_is_refused(plugin):
    plugin(loss='conflicts={f"norm:{n}": "no norm at all" for n in NORMS}')
    with pytest.raises(IncompatibleError, match=r"loss-x excludes norm:a \(arch\): no norm at all"):
        plan(model="arch", loss="loss-x")


# Refusals ------------------------------------------------------------------------------------------------------------


def test_a_refusal_keeps_the_rest_of_the_grid():
    made = plan(loss="bce,hinge,wgan-gp", ablate="label-smoothing")
    assert names(made) == ["dcgan + bce", "dcgan + bce + label-smoothing", "dcgan + hinge", "dcgan + wgan-gp"]
    reason = "label-smoothing needs targets: it moves the targets of the discriminator, and this loss has none"
    assert [(refusal.combination, refusal.reasons) for refusal in made.refusals] == [
        ("dcgan + hinge + label-smoothing", (reason,)),
        ("dcgan + wgan-gp + label-smoothing", (reason,)),
    ]


def test_a_grid_of_which_nothing_is_left_is_an_error_with_every_reason():
    with pytest.raises(IncompatibleError) as caught:
        plan(loss="hinge,wgan-gp", trick="label-smoothing")
    assert str(caught.value).startswith("no combination of this grid can work: dcgan + hinge + label-smoothing: ")
    assert "dcgan + wgan-gp + label-smoothing: label-smoothing needs targets" in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((1, 10, 10), "a multiple of 4 from 8 to 128, not 10x10"),
        ((1, 4, 4), "a multiple of 4 from 8 to 128, not 4x4"),
        ((1, 132, 132), "a multiple of 4 from 8 to 128, not 132x132"),
        ((1, 8, 16), "a multiple of 4 from 8 to 128, not 8x16"),
        ((2, 8, 8), "images of 1 or 3 channels, not 2"),
    ],
)
def test_dcgan_refuses_images_that_it_cannot_draw(plugin, shape, reason):
    plugin(shape=shape)
    with pytest.raises(IncompatibleError, match=reason):
        plan(dataset="data")
    assert only(plan(model="mlp", dataset="data")).shape == shape


@pytest.mark.parametrize("side", [8, 28, 32, 128])
def test_dcgan_draws_any_square_whose_side_is_a_multiple_of_four(plugin, side):
    plugin(shape=(3, side, side))
    assert only(plan(dataset="data")).shape == (3, side, side)


def test_conditional_networks_need_labels(plugin):
    plugin(classes=0)
    with pytest.raises(IncompatibleError, match="projection needs labels: it conditions the networks on the class"):
        plan(model="dcgan", trick="projection", dataset="data")


def test_the_classes_reach_only_conditional_networks():
    assert only(plan(model="dcgan", trick="projection")).classes == 10
    assert only(plan(model="dcgan")).classes == 0


def test_a_batch_cannot_exceed_the_data(plugin):
    plugin(train=64)
    assert only(plan(dataset="data", recipe={"batch_size": 64})).recipe["batch_size"] == 64
    with pytest.raises(
        IncompatibleError, match="batch size 65 exceeds the 64 training images; lower it with --batch-size"
    ):
        plan(dataset="data", recipe={"batch_size": 65})


def test_a_plugin_whose_function_raises_is_named(plugin):
    plugin(loss="conflicts=lambda params: 1 / 0")
    with pytest.raises(BrokenPluginError, match=r"^loss ganzoo-fake/loss-x 1\.0: its conflicts raised ZeroDivision"):
        plan(loss="loss-x")


def test_a_plugin_whose_function_exits_is_named(plugin):
    plugin(loss="recipe=lambda params: exit()")
    with pytest.raises(BrokenPluginError, match=r"^loss ganzoo-fake/loss-x 1\.0: its recipe raised SystemExit"):
        plan(loss="loss-x")


@pytest.mark.parametrize("field", ["recipe", "provides", "requires", "conflicts"])
def test_a_plugin_whose_function_returns_something_else_is_named(plugin, field):
    plugin(loss=f"{field}=lambda params: 5")
    with pytest.raises(BrokenPluginError, match=rf"^loss ganzoo-fake/loss-x 1\.0: its {field} returned 5, not a "):
        plan(loss="loss-x")


def test_a_plugin_whose_setting_is_something_else_is_named(plugin):
    plugin(loss="setting=lambda params, setting: None")
    with pytest.raises(BrokenPluginError, match=r"its setting returned None, not a ganzoo\.api\.Setting"):
        plan(loss="loss-x")


# The grid ------------------------------------------------------------------------------------------------------------


def test_ablation_tries_every_subset_the_smallest_first():
    tricks = ["ema", "ttur", "uniform-latent"]
    made = plan(ablate=tricks)
    subsets = [s for size in range(4) for s in itertools.combinations(tricks, size)]
    assert [tuple(part.name for part in run.tricks) for run in made.runs] == subsets


def test_fixed_tricks_are_in_every_combination():
    made = plan(trick="feature-matching", ablate="ema,ttur")
    assert len(made.runs) == 4
    assert all(run.tricks[0].name == "feature-matching" for run in made.runs)


def test_a_grid_is_the_product_of_all_lists():
    made = plan(model="dcgan,mlp", loss=["bce", "hinge"], ablate="ema", seeds=3)
    assert len(made.combinations) == 8
    assert len(made.runs) == 24
    assert len({run.id for run in made.runs}) == 24
    assert len({run.combination_id for run in made.runs}) == 8


def test_several_datasets_are_named_in_the_combination():
    assert names(plan(dataset="digits,mnist")) == ["digits: dcgan + bce", "mnist: dcgan + bce"]


@pytest.mark.parametrize(
    ("given", "seeds"),
    [
        (1, (0,)),
        (3, (0, 1, 2)),
        ("3", (0, 1, 2)),
        ("0,7,9", (0, 7, 9)),
        (" 0, 7 ", (0, 7)),
        ("7,", (7,)),
        ([7, 9], (7, 9)),
        ((5,), (5,)),
        (range(2), (0, 1)),
        ("20240101,", (20240101,)),
        (np.int64(2), (0, 1)),
        (np.arange(2), (0, 1)),
        ([np.int64(7)], (7,)),
    ],
)
def test_seeds_are_how_many_or_which(given, seeds):
    assert tuple(run.seed for run in plan(seeds=given).runs) == seeds


@pytest.mark.parametrize(
    "given",
    [0, -1, "-1", "", ",", "x", "1.5", 1.5, True, "0,0", [0, 0], [0, -1], [0.5], [True], ["0"], [], "20240101", 10**30],
)
def test_seeds_that_mean_nothing_are_refused(given):
    with pytest.raises(ParameterError, match=r"^--seeds: "):
        plan(seeds=given)


def test_numpys_numbers_are_numbers():
    numbers = {"samples": np.int64(50), "evaluations": np.int64(2), "recipe": {"steps": np.int64(9)}}
    made, options = plan_from({"model": "mlp", "loss": "bce", "jobs": np.int64(2), **numbers}, None)
    assert made.runs == plan(model="mlp", samples=50, evaluations=2, recipe={"steps": 9}).runs
    assert type(options.jobs) is int


def test_a_path_is_a_text(tmp_path):
    for i in range(8):
        Image.new("L", (8, 8)).save(tmp_path / f"{i}.png")
    given = [{"name": "folder", "path": path, "size": 8} for path in (tmp_path, str(tmp_path))]
    first, second = (plan(dataset=one, recipe={"batch_size": 4}).runs for one in given)
    assert first == second


@pytest.mark.parametrize("twice", [{"model": "dcgan,dcgan"}, {"loss": ["bce", "bce:saturating=false"]}])
def test_a_component_is_named_once(twice):
    with pytest.raises(ParameterError, match=r"the grid holds dcgan \+ bce twice; name each component once"):
        plan(**twice)


@pytest.mark.parametrize("twice", [{"trick": "ema,ema"}, {"trick": "ema", "ablate": "ttur,ema"}])
def test_a_trick_is_used_once(twice):
    with pytest.raises(ParameterError, match="the trick ganzoo-core/ema is named twice"):
        plan(**twice)


def test_one_component_with_other_parameters_is_another():
    assert names(plan(model="dcgan,dcgan:width=32")) == ["dcgan + bce", "dcgan:width=32 + bce"]


def test_combinations_that_the_plan_makes_equal_are_run_once():
    made = plan(model="dcgan,dcgan:critic_norm=layer", loss="bce,wgan-gp")
    assert names(made) == ["dcgan + bce", "dcgan + wgan-gp", "dcgan:critic_norm=layer + bce"]
    (refusal,) = made.refusals
    assert refusal.combination == "dcgan:critic_norm=layer + wgan-gp"
    assert refusal.reasons == ("with what the plan settled, it is dcgan + wgan-gp again",)


def test_ambiguous_components_are_told_apart_in_the_combination(make_distribution):
    spec = 'from ganzoo.api import Spec\nSPEC = Spec(kind="loss", target="a:b", summary="")'
    for name in ("one", "two"):
        make_distribution(f"ganzoo-{name}", {"ganzoo.losses": {"both": "both_spec:SPEC"}})
    make_distribution("ganzoo-three", modules={"both_spec": spec})
    assert names(plan(loss="ganzoo-one/both,ganzoo-two/both")) == ["dcgan + ganzoo-one/both", "dcgan + ganzoo-two/both"]


@pytest.mark.parametrize(
    ("test", "train", "samples"), [(50, 200, 50), (0, 200, 100), (20_000, 200, 10_000), (0, 60_000, 10_000)]
)
def test_as_many_samples_are_scored_as_images_are_held_out(plugin, test, train, samples):
    plugin(train=train, test=test)
    assert only(plan(dataset="data")).evaluation.samples == samples
    assert only(plan(dataset="data", samples=7)).evaluation.samples == 7


def test_the_dataset_chooses_the_extractor_unless_the_user_does():
    assert only(plan(dataset="mnist")).evaluation.extractor.name == "mnist-cnn"
    assert only(plan(dataset="mnist", extractor="inception")).evaluation.extractor.name == "inception"


@pytest.mark.parametrize("asked", ["mixture", "ganzoo-core/mixture", "mixture:layout=grid", "mixture:modes=9,sd=0.01"])
def test_an_extractor_that_knows_its_data_is_about_that_very_data(asked):
    """Named without parameters, a mixture's modes are those of the dataset, and not of a default ring."""
    dataset = "grid:side=3,sd=0.01"
    assert only(plan(model="mlp", dataset=dataset, extractor=asked)) == only(plan(model="mlp", dataset=dataset))


def test_an_extractor_that_knows_other_data_is_refused():
    with pytest.raises(IncompatibleError, match=r"mixture:modes=4 is about other data.*is mixture; leave out"):
        plan(model="mlp", dataset="ring", extractor="mixture:modes=4")
    with pytest.raises(ParameterError, match='did you mean "modes"'):
        plan(model="mlp", dataset="ring", extractor="mixture:mods=4")
    with pytest.raises(ParameterError, match=r"sd=0.05 must be.*that of the data's own, mixture:layout"):
        plan(model="mlp", dataset="grid", extractor="mixture:layout=ring")


@pytest.mark.parametrize(
    ("dataset", "extractor", "reason"),
    [
        ("ring", "digits-cnn", "ring has points, no images, and digits-cnn looks at images"),
        ("digits", "mixture", "digits has images, no points, and mixture looks at points"),
    ],
)
def test_points_and_images_are_told_apart_before_anything_is_trained(dataset, extractor, reason):
    with pytest.raises(IncompatibleError, match=reason):
        plan(model="mlp", dataset=dataset, extractor=extractor)


# Bad requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        ({"model": None}, ParameterError, "which model? add --model NAME, or model = ... in a suite file"),
        ({"loss": ()}, ParameterError, "which loss? add --loss NAME"),
        ({"model": ""}, ParameterError, "--model: names nothing"),
        ({"model": 3}, ParameterError, '--model: write "name:key=value" or a table with a name, not 3'),
        ({"model": "dcgam"}, UnknownComponentError, 'no architecture "dcgam"; did you mean "dcgan"?'),
        ({"trick": np.array(["ema"])}, ParameterError, '--trick: write "name:key=value" or a table with a name'),
        ({"trick": "wgan-gp"}, UnknownComponentError, '"wgan-gp" is a loss, not a trick'),
        ({"loss": "wgan-gp:penalti=1"}, ParameterError, 'wgan-gp: no parameter "penalti"; did you mean "penalty"?'),
        ({"loss": "wgan-gp:penalty=-1"}, ParameterError, "wgan-gp: penalty must be at least 0, not -1"),
        ({"samples": 1}, ParameterError, "--samples: must be a whole number, at least 2, not 1"),
        ({"samples": "9" * 5000}, ParameterError, "--samples: must be a whole number, at least 2, not '999"),
        ({"samples": "²"}, ParameterError, "--samples: must be a whole number"),
        ({"evaluations": 0}, ParameterError, "--evaluations: must be a whole number, at least 1, not 0"),
        ({"evaluations": True}, ParameterError, "--evaluations: must be a whole number, at least 1, not True"),
        ({"extractor": "inception,mnist-cnn"}, ParameterError, "--extractor: one feature network scores a grid, not 2"),
        ({"data_root": 5}, ParameterError, "--data-root: must be the path of a folder, not 5"),
        ({"recipe": {"stepz": 5}}, ParameterError, '--recipe: no parameter "stepz"; did you mean "steps"?'),
        ({"recipe": {1: 2}}, ParameterError, '--recipe: no parameter "1"; known: batch_size, '),
        ({"recipe": {"steps": 0}}, ParameterError, "--recipe: steps must be at least 1, not 0"),
        ({"recipe": "steps=5"}, ParameterError, "--recipe: a table of names and values, not 'steps=5'"),
        ({"device": "gpu"}, ParameterError, "--device: must be auto or cpu or cuda, not 'gpu'"),
        ({"jobs": True}, ParameterError, "--jobs: must be a whole number, at least 1, not True"),
        ({"jobs": 0}, ParameterError, "--jobs: must be a whole number, at least 1, not 0"),
        ({"out": 5}, ParameterError, "--out: must be the path of a folder, not 5"),
        ({"out": "caf\udce9"}, ParameterError, r"--out: must be a name in UTF-8, not 'caf\udce9'; rename the folder"),
        ({"dataset": "folder:path=\udce9"}, ParameterError, "folder: path takes str in UTF-8, not "),
        ({"steps": 5}, ParameterError, 'no setting "steps"; did you mean "recipe.steps"?'),
        (
            {"combination": [{"loss": "hinge"}]},
            ParameterError,
            "combination: only a suite file lists combinations; write",
        ),
        ({"modle": 5}, ParameterError, 'no setting "modle"; did you mean "model"?'),
        ({"dataset": "folder"}, ParameterError, "folder: path is needed"),
    ],
)
def test_a_bad_request_says_what_is_wrong_and_what_is_right(request_, error, message):
    with pytest.raises(error) as caught:
        plan(**request_)
    assert str(caught.value).startswith(message)


# Suite files ---------------------------------------------------------------------------------------------------------

GRID = 'model = "dcgan"\nloss = "bce"\n'


def test_a_suite_says_the_same_as_flags(suite):
    file = suite(
        'model = ["dcgan:width=32", "mlp"]\ntrick = "ema"\nablate = ["ttur"]\nseeds = [0, 7]\nsamples = 50\n'
        'evaluations = 2\nextractor = "mnist-cnn"\ndataset = "mnist"\ndata_root = "somewhere"\n'
        '[[loss]]\nname = "wgan-gp"\npenalty = 5\n[recipe]\nsteps = 20\n'
    )
    flags = {
        "model": ("dcgan:width=32,mlp",), "trick": "ema", "ablate": "ttur", "seeds": "0,7", "samples": "50",
        "evaluations": "2", "extractor": "mnist-cnn", "dataset": "mnist", "data_root": "somewhere",
        "loss": "wgan-gp:penalty=5", "recipe": {"steps": "20"},
    }  # fmt: skip
    by_file, by_flags = ganzoo.plan(file), ganzoo.plan(**flags)
    assert [run.id for run in by_file.runs] == [run.id for run in by_flags.runs]
    assert len(by_file.runs) == 8


def test_flags_override_a_suite(suite):
    file = suite(GRID + "seeds = 5\n[recipe]\nsteps = 20\nbatch_size = 8\n")
    run = only(ganzoo.plan(file, loss=("hinge",), seeds="1", recipe={"steps": "30"}))
    assert run.loss.name == "hinge"
    assert (run.recipe["steps"], run.recipe["batch_size"]) == (30, 8)


def test_a_flag_that_is_right_hides_a_bad_value_of_the_suite(suite):
    assert only(ganzoo.plan(suite(GRID + "seeds = -1\n"), seeds=1)).seed == 0


def test_how_to_run_comes_from_flags_over_the_suite(suite):
    file = suite(GRID + 'device = "cuda"\njobs = 3\nout = "there"\n')
    assert plan_from({"device": "cpu", "out": None}, file)[1] == RunOptions("cpu", jobs=3, out=Path("there"))
    assert plan_from({"model": "dcgan", "loss": "bce"}, None)[1] == RunOptions()


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("modle = 1", SuiteError, 'unknown key "modle"; did you mean "model"?'),
        ("steps = 100", SuiteError, 'unknown key "steps"; did you mean "recipe.steps"?'),
        ("batch-size = 8", SuiteError, 'unknown key "batch-size"; did you mean "recipe.batch_size"?'),
        ('name = "a"', SuiteError, 'unknown key "name"; it belongs below a [[combination]]'),
        ("metrics = []", SuiteError, "metrics: names no metric; write one of fid, is, "),
        ('out = "a\\u0000b"', SuiteError, "out: must be the path of a folder, not 'a\\x00b'"),
        ("[recipe]\nsteps_ = 1", SuiteError, 'unknown key "recipe.steps_"; did you mean "steps"?'),
        ("recipe = 1", SuiteError, "recipe must be a table, written [recipe], not 1"),
        ('[recipe]\nsteps = "many"', SuiteError, 'recipe.steps takes int, not "many"'),
        ("[recipe]\nsteps = 0", SuiteError, "recipe.steps must be at least 1, not 0"),
        ("[recipe]\nbeta1 = 1.5", SuiteError, "recipe.beta1 must be 0 to 1, not 1.5"),
        ("[recipe]\nsteps = true", SuiteError, 'recipe.steps takes int, not "True"'),
        (
            '[recipe]\noptimizer = "adm"',
            SuiteError,
            'recipe.optimizer must be adam | rmsprop | sgd, not adm; did you mean "adam"?',
        ),
        ("seeds = -1", SuiteError, "seeds: write how many (3) or which (0,7,9), each once and not negative, not -1"),
        ('seeds = "many"', SuiteError, "seeds: write how many (3) or which (0,7,9)"),
        ("seeds = true", SuiteError, "seeds: write how many (3) or which (0,7,9)"),
        ("samples = 1.5", SuiteError, "samples: must be a whole number, at least 2, not 1.5"),
        ("evaluations = []", SuiteError, "evaluations: must be a whole number, at least 1, not []"),
        ("data_root = 5", SuiteError, "data_root: must be the path of a folder, not 5"),
        ("out = 5", SuiteError, "out: must be the path of a folder, not 5"),
        ('device = "gpu"', SuiteError, "device: must be auto or cpu or cuda, not 'gpu'"),
        ('jobs = "two"', SuiteError, "jobs: must be a whole number, at least 1, not 'two'"),
        ("trick = 5", SuiteError, 'trick: write "name:key=value" or a table with a name, not 5'),
        ("trick = {weight = 5}", SuiteError, 'trick: write "name:key=value" or a table with a name'),
        ('trick = "ema:5"', SuiteError, 'trick: ema: "5" is not key=value'),
        ('trick = "ema:half_life=0"', SuiteError, "trick: ema: half_life must be at least 1, not 0"),
        ('trick = {name = "ema", half_life = "long"}', SuiteError, "trick: ema: half_life takes float"),
        ('trick = {name = "ema", halflife = 5}', SuiteError, 'trick: ema: no parameter "halflife"; did you mean'),
        ('trick = "emma"', UnknownComponentError, 'trick: no trick "emma"; did you mean "ema"?'),
        ("dataset = []", SuiteError, "dataset: names nothing"),
    ],
)
def test_a_bad_suite_names_the_file_the_key_and_what_is_right(suite, text, error, message):
    file = suite(GRID + text)
    with pytest.raises(error) as caught:
        ganzoo.plan(file)
    assert str(caught.value).startswith(f"{file}: {message}")


COMBINATIONS = """
model = "mlp"
dataset = "digits"
[recipe]
steps = 20
batch_size = 8

[[combination]]
name = "the first"
loss = "bce"
trick = ["label-smoothing", "ema"]
recipe = {steps = 30}
[combination.published]
source = "a paper"
scores = {fid = 12.5}
extractor = "digits-cnn"
samples = 599
reference = "the train split"

[[combination]]
model = "dcgan"
loss = ["hinge", "bce"]
"""


def test_a_suite_can_list_combinations_that_are_no_grid(suite):
    made = ganzoo.plan(suite(COMBINATIONS), seeds=2)
    assert [run.combination for run in made.combinations] == ["the first", "dcgan + hinge", "dcgan + bce"]
    first, second, _ = made.combinations
    assert [part.name for part in first.tricks] == ["label-smoothing", "ema"] and not second.tricks
    assert [(run.recipe["steps"], run.recipe["batch_size"]) for run in (first, second)] == [(30, 8), (20, 8)]
    assert {key: one.source for key, one in made.published.items()} == {first.combination_id: "a paper"}
    assert len(made.runs) == 6


def test_what_is_said_of_a_published_score_is_one_line_however_it_is_written(suite):
    text = COMBINATIONS.replace('source = "a paper"', 'source = """a\npaper"""\nremark = """\nof two\n  lines\n"""')
    (one,) = ganzoo.plan(suite(text)).published.values()
    assert (one.source, one.remark) == ("a paper", "of two lines")


def test_flags_override_every_combination(suite):
    made = ganzoo.plan(suite(COMBINATIONS), trick=(), loss="hinge", recipe={"steps": 5})
    assert {(run.loss.name, run.recipe["steps"]) for run in made.runs} == {("hinge", 5)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('losss = "bce"', 'unknown key "combination 1.losss"; did you mean "loss"?'),
        ("seeds = 3", 'unknown key "combination 1.seeds"'),
        ("recipe = {step = 1}", 'unknown key "combination 1.recipe.step"; did you mean "steps"?'),
        ("recipe = {steps = 0}", "combination 1.recipe.steps must be at least 1, not 0"),
        ('loss = "bcee"', 'combination 1.loss: no loss "bcee"; did you mean "bce"?'),
        ("loss = []", "combination 1.loss: names nothing"),
        ("name = 5", "combination 1.name: must be one line of text without control characters, not 5"),
        ('published = {source = "x"}', "combination 1.published: Object missing required field `scores`"),
        (
            'published = {source = "x", scores = {fdi = 1.0}, extractor = "e", samples = 5, reference = "r"}',
            'combination 1.published: no column "fdi"; write one of fid, is, ',
        ),
        (
            'published = {source = "x", scores = {fid = nan}, extractor = "e", samples = 5, reference = "r"}',
            "combination 1.published: scores.fid is nan, which nobody printed; leave it out",
        ),
        ("published = 5", "combination 1.published: must be a table, headed [combination.published], not 5"),
        (
            'published = {source = "x", scores = {}, extractor = "e", samples = 5, reference = "r"}',
            "combination 1.published: Expected `object` of length >= 1 - at `$.scores`",
        ),
        ('name = "\\u001b[31m"', "combination 1.name: must be one line of text without control characters"),
        ('name = "a\\u2028b"', "combination 1.name: must be one line of text without control characters"),
        (
            'name = "both"\nmodel = ["mlp", "dcgan"]',
            "combination 1: both makes 2 combinations, and a name or a published row is of one",
        ),
        (
            'model = ["mlp", "dcgan"]\n'
            'published = {source = "x", scores = {fid = 1.0}, extractor = "e", samples = 5, reference = "r"}',
            "combination 1: it makes 2 combinations, and a name or a published row is of one",
        ),
        (
            'name = "a"\n[[combination]]\nname = "a"\nloss = "hinge"',
            'combination 2: another combination is called "a", too; give each a name of its own',
        ),
        (
            "[[combination]]\nrecipe = {steps = 5}",
            'combination 2: another combination is called "dcgan + bce", too; give each a name of its own',
        ),
        ("[[combination]]", "combination 2: the grid holds dcgan + bce twice"),
        ('trick = ["ema", "ema"]', "combination 1.trick: the trick ganzoo-core/ema is named twice"),
        ("steps = 5", 'unknown key "combination 1.steps"; did you mean "recipe.steps"?'),
        ('device = "cpu"', 'unknown key "combination 1.device"; it belongs at the top of the file'),
    ],
)
def test_a_bad_combination_names_its_number_and_key(suite, text, message):
    file = suite(f"{GRID}[[combination]]\n{text}\n")
    with pytest.raises((SuiteError, UnknownComponentError)) as caught:
        ganzoo.plan(file)
    assert message in str(caught.value)


def test_combinations_are_a_list(suite):
    with pytest.raises(SuiteError, match=r"combination must be a list of tables, each headed \[\[combination\]\]"):
        ganzoo.plan(suite(f'{GRID}[combination]\nloss = "bce"'))


def test_a_suite_without_a_loss_says_how_to_add_one(suite):
    said = r"which loss\? add --loss NAME, or loss = \.\.\. in a suite file"
    with pytest.raises(SuiteError, match=rf"suite.toml: {said}"):
        ganzoo.plan(suite('model = "dcgan"'))
    with pytest.raises(SuiteError, match=rf"suite.toml: combination 2: {said}"):
        ganzoo.plan(suite('model = "dcgan"\n[[combination]]\nloss = "bce"\n[[combination]]\nname = "none"'))


def test_a_suite_may_begin_with_a_byte_order_mark(suite):
    without = ganzoo.plan(suite(GRID)).runs
    assert ganzoo.plan(suite(f"\ufeff{GRID}")).runs == without


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"model = ", "not valid TOML: "),
        (b"samples = " + b"9" * 5000, "not valid TOML: "),
        (b"a = " + b"[" * 3000, "not valid TOML: "),
        (b"# \xff\xfe", "is not in UTF-8, from byte 2 on; save it in UTF-8"),
        (None, "no such suite file"),
    ],
)
def test_a_file_that_is_no_suite_is_named(tmp_path, content, message):
    file = tmp_path / "suite.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SuiteError) as caught:
        ganzoo.plan(file)
    assert str(caught.value).startswith(f"{file}: {message}")


def test_a_component_in_a_suites_place_is_told_of_the_options():
    with pytest.raises(
        SuiteError, match=r"^dcgan: no such suite file; components are named by options, e\.g\. --model"
    ):
        ganzoo.plan("dcgan")


def test_images_in_the_place_of_a_dataset_are_told_of_folder_and_zip(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos.zip").touch()
    for name, dataset in (("photos", "folder"), ("photos.zip", "zip")):
        with pytest.raises(UnknownComponentError, match=rf"write {dataset}:path={name}$"):
            ganzoo.plan(model="mlp", loss="bce", dataset=name)


def test_a_folder_is_no_suite(tmp_path):
    with pytest.raises(SuiteError, match=r"is a folder; name a suite file, e\.g\. "):
        ganzoo.plan(tmp_path)


# Identity ------------------------------------------------------------------------------------------------------------


def test_the_same_request_gives_the_same_ids():
    one, two = (plan(loss="bce,wgan-gp", ablate="ema", seeds=2) for _ in range(2))
    assert [run.id for run in one.runs] == [run.id for run in two.runs]
    assert [run.combination_id for run in one.runs] == [run.combination_id for run in two.runs]


@pytest.mark.parametrize(
    "same",
    [
        {"model": "dcgan:width=64"},
        {"model": "ganzoo-core/dcgan"},
        {"model": [{"name": "dcgan", "width": 64, "slope": 0.2}]},
        {"dataset": "digits"},
        {"seeds": "0,"},
        {"recipe": {"batch_size": "128"}},
        {"recipe": {"beta1": 0.5, "ema_half_life": 0}},
        {"evaluations": "5"},
        {"device": "cuda", "jobs": 7, "out": "elsewhere", "data_root": "elsewhere"},
    ],
)
def test_how_a_request_is_written_does_not_matter(same):
    assert only(plan(**same)).id == only(plan()).id


def test_of_two_losses_with_one_name_a_run_says_which_it_is_made_of(make_distribution):
    make_distribution("ganzoo-rival", {"ganzoo.losses": {"hinge": "ganzoo.zoo.specs.losses:HINGE"}})
    ours, theirs = plan(model="mlp", loss="ganzoo-core/hinge,ganzoo-rival/hinge").runs
    assert [ours.components, theirs.components] == ["mlp + ganzoo-core/hinge", "mlp + ganzoo-rival/hinge"]
    assert [ours.combination, theirs.combination] == [ours.components, theirs.components]
    assert only(plan(model="ganzoo-core/mlp", loss="bce")).components == "mlp + bce"


def test_a_default_and_the_same_value_written_out_are_one():
    assert only(plan(trick="ema")).id == only(plan(trick="ema:half_life=10000")).id


@pytest.mark.parametrize(
    "other",
    [
        {"model": "mlp"},
        {"model": "dcgan:width=65"},
        {"model": "dcgan:slope=0.20000001"},
        {"model": "dcgan:critic_norm=layer"},
        {"loss": "hinge"},
        {"loss": "bce:saturating=true"},
        {"trick": "uniform-latent"},
        {"dataset": "mnist"},
        {"recipe": {"steps": 1001}},
        {"recipe": {"generator_lr": 2.00001e-4}},
        {"seeds": "1,"},
        {"extractor": "mnist-cnn"},
        {"samples": 598},
        {"evaluations": 4},
    ],
)
def test_whatever_changes_the_result_changes_the_id(other):
    run, changed = only(plan()), only(plan(**other))
    assert changed.id != run.id
    assert (changed.combination_id == run.combination_id) == ("seeds" in other)


def test_the_order_of_tricks_is_part_of_the_identity():
    assert only(plan(trick="ema,ttur")).id != only(plan(trick="ttur,ema")).id


def test_labels_and_sources_are_not_part_of_the_identity():
    run = only(plan())
    told = msgspec.structs.replace(run, combination="other", sources={}, adjustments=("why not",))
    assert (told.id, told.combination_id) == (run.id, run.combination_id)


def test_a_run_is_the_same_after_it_was_written_and_read():
    for run in plan(model="dcgan,mlp", loss="wgan-gp", ablate="ema,spectral-norm", seeds=2).runs:
        read = msgspec.json.decode(msgspec.json.encode(run), type=Run)
        assert read.id == run.id
        assert read.architecture.typed_params == run.architecture.typed_params
        assert [part.label for part in read.parts] == [part.label for part in run.parts]


def test_a_runs_parts_find_their_components():
    run = only(plan(trick="ema"))
    assert [part.component.name for part in run.parts] == ["dcgan", "bce", "ema", "digits", "digits-cnn"]


def test_a_parameter_that_the_user_gave_outranks_what_other_components_prefer():
    """ttur would train with one critic step."""
    assert only(plan(loss="wgan-gp", trick="ttur")).recipe["n_critic"] == 1
    run = only(plan(loss="wgan-gp:n_critic=10", trick="ttur"))
    assert (run.recipe["n_critic"], run.sources["n_critic"]) == (10, "wgan-gp, as given")
    assert only(plan(loss="wgan-gp:n_critic=10", recipe={"n_critic": 2})).recipe["n_critic"] == 2
    run = only(plan(loss="wgan-gp:n_critic=5", trick="ttur"))  # its default, and yet a wish
    assert (run.recipe["n_critic"], run.sources["n_critic"]) == (5, "wgan-gp, as given")


def test_a_recipe_may_depend_on_a_parameter_that_must_be_given(plugin):
    """It has no default at which the recipe could be asked."""
    plugin(loss='params=make_dataclass("P", [("each", int, param())]), recipe=lambda p: Recipe(n_critic=2 * p.each)')
    assert only(plan(loss="loss-x:each=3")).recipe["n_critic"] == 6


@pytest.mark.parametrize("penalised", [{"loss": "wgan-gp"}, {"loss": "dragan"}, {"trick": "r1"}])
def test_many_unrolled_steps_take_no_penalty_along(penalised):
    request = {"loss": "bce", **penalised}
    tricks = [request.pop("trick", ()), "unrolled"]
    with pytest.raises(IncompatibleError, match="unroll by at most 2 steps"):
        plan(**request, trick=[trick for trick in tricks if trick])
    few = [trick for trick in (tricks[0], "unrolled:steps=2") if trick]
    assert only(plan(**request, trick=few))
