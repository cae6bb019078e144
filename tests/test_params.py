"""Parameters: what the command line writes becomes a checked dataclass, and back."""

from __future__ import annotations

from dataclasses import dataclass, fields, make_dataclass
from pathlib import Path
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganzoo.api import param
from ganzoo.errors import ParameterError
from ganzoo.params import build, format_value, label, parameters, parse, split


@dataclass(frozen=True)
class Params:
    width: int = param(64, "channels", low=1)
    rate: float = param(0.5, "a rate", low=0, high=1)
    scale: float = param(10, "a float whose default is written without a point")
    norm: str = param("batch", "a norm", choices=("batch", "layer", "none"))
    fast: bool = param(False, "a switch")
    hidden: tuple[int, ...] = param((256, 512), "widths", low=1)
    name: str = param("", "any text")


@dataclass(frozen=True)
class Needs:
    path: str = param(help="folder of images")


@dataclass(frozen=True)
class Optionals:
    modern: float | None = param(None, "nothing by default")
    classic: Optional[int] = param(None, "written the old way")  # noqa: UP045


@dataclass(frozen=True)
class Bare:
    hidden: tuple[int, ...] = param((), "no layer by default")


@dataclass(frozen=True)
class Pair:
    low: int = param(1)
    high: int = param(2)

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low must not exceed high")


def built(text: str, cls: type[Any] = Params) -> Any:
    name, values = parse(text)
    return build(cls, values, name)


def refusal(text: str, cls: type[Any] = Params) -> str:
    with pytest.raises(ParameterError) as caught:
        built(text, cls)
    return str(caught.value)


# Comma lists ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "components"),
    [
        ("bce", ["bce"]),
        ("bce,hinge", ["bce", "hinge"]),
        (" bce , hinge ,", ["bce", "hinge"]),
        ("", []),
        ("wgan-gp:penalty=5", ["wgan-gp:penalty=5"]),
        ("bce,wgan-gp:penalty=5,n_critic=3", ["bce", "wgan-gp:penalty=5,n_critic=3"]),
        ("wgan-gp:penalty=5,n_critic=3,bce", ["wgan-gp:penalty=5,n_critic=3", "bce"]),
        ("wgan-gp,penalty=5,n_critic=3", ["wgan-gp:penalty=5,n_critic=3"]),
        ("my-dist/bce:saturating=true,hinge", ["my-dist/bce:saturating=true", "hinge"]),
        ("folder:path=/a:b,test=/c:d", ["folder:path=/a:b,test=/c:d"]),
        (["bce,hinge", "wgan-gp"], ["bce", "hinge", "wgan-gp"]),
    ],
)
def test_commas_separate_components_and_parameters_stay_with_theirs(texts, components):
    assert split(texts) == components


def test_a_list_cannot_start_with_a_parameter():
    with pytest.raises(ParameterError, match=r'"penalty=5" starts with a parameter; write name:penalty=5'):
        split("penalty=5")


def test_parameters_of_one_text_do_not_join_the_component_of_another():
    with pytest.raises(ParameterError, match="starts with a parameter"):
        split(["wgan-gp", "penalty=5"])


# One component -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("bce", "bce", {}),
        ("bce:", "bce", {}),
        ("wgan-gp:penalty=5,n_critic=3", "wgan-gp", {"penalty": "5", "n_critic": "3"}),
        ("a: x = 1 , y = 2", "a", {"x": "1", "y": "2"}),
        ("folder:path=/a=b", "folder", {"path": "/a=b"}),
        ("folder:path=C:/images", "folder", {"path": "C:/images"}),
        ("folder:test=", "folder", {"test": ""}),
    ],
)
def test_a_text_is_a_name_and_its_raw_parameters(text, name, values):
    assert parse(text) == (name, values)


def test_what_is_not_key_value_is_refused():
    assert refusal("dcgan:64") == 'dcgan: "64" is not key=value; write dcgan:key=value,key=value'


@pytest.mark.parametrize("text", ["dcgan:width=1,width=2", "dcgan:width=1, width =2"])
def test_a_parameter_is_given_once(text):
    assert refusal(text) == "dcgan: width is given twice"


# Values --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("width", "128", 128),
        ("width", "1e3", 1000),
        ("width", "128.0", 128),
        ("width", "9007199254740993", 2**53 + 1),
        ("rate", "1", 1.0),
        ("rate", "1e-4", 0.0001),
        ("norm", "layer", "layer"),
        ("fast", "true", True),
        ("fast", "Yes", True),
        ("fast", "1", True),
        ("fast", "no", False),
        ("fast", "0", False),
        ("hidden", "256", (256,)),
        ("hidden", "256x512x1024", (256, 512, 1024)),
        ("name", "a b", "a b"),
    ],
)
def test_text_becomes_a_typed_value(key, text, value):
    converted = getattr(build(Params, {key: text}, "x"), key)
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    ("key", "given", "value"),
    [("width", 128, 128), ("rate", 1, 1.0), ("fast", True, True), ("hidden", [8, 16], (8, 16)), ("hidden", 8, (8,))],
)
def test_typed_values_of_a_suite_or_python_are_taken_as_they_are(key, given, value):
    converted = getattr(build(Params, {key: given}, "x"), key)
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    ("key", "given", "reason"),
    [
        ("width", "wide", 'x: width takes int, not "wide", e.g. 64'),
        ("width", "1.5", 'x: width takes int, not "1.5", e.g. 64'),
        ("width", True, 'x: width takes int, not "True", e.g. 64'),
        ("width", "", 'x: width takes int, not "", e.g. 64'),
        ("width", "0", "x: width must be at least 1, not 0"),
        ("rate", "nan", 'x: rate takes float, not "nan", e.g. 0.5'),
        ("rate", "inf", 'x: rate takes float, not "inf", e.g. 0.5'),
        ("rate", "1.01", "x: rate must be 0 to 1, not 1.01"),
        ("rate", "-0.01", "x: rate must be 0 to 1, not -0.01"),
        ("rate", [0.5], 'x: rate takes float, not "[0.5]", e.g. 0.5'),
        ("norm", "layr", 'x: norm must be batch | layer | none, not layr; did you mean "layer"?'),
        ("norm", "zzz", "x: norm must be batch | layer | none, not zzz; known: batch, layer, none"),
        ("norm", 3, 'x: norm takes str, not "3", e.g. batch'),
        ("fast", "maybe", 'x: fast takes bool, not "maybe", e.g. false'),
        ("hidden", "256xx512", 'x: hidden takes int x ..., not "", e.g. 256x512'),
        ("hidden", "256x0", "x: hidden must be at least 1, not 0"),
        ("hidden", [], "x: hidden needs at least one value"),
        ("widht", "3", 'x: no parameter "widht"; did you mean "width"?'),
    ],
)
def test_a_bad_value_is_refused_with_what_is_right(key, given, reason):
    with pytest.raises(ParameterError) as caught:
        build(Params, {key: given}, "x")
    assert str(caught.value) == reason


@pytest.mark.parametrize("huge", [10**400, "1e400", "9" * 400])
def test_numbers_beyond_floats_are_refused(huge):
    with pytest.raises(ParameterError, match="rate takes float"):
        build(Params, {"rate": huge}, "x")


@pytest.mark.parametrize(("key", "edge"), [("rate", 0.0), ("rate", 1.0), ("width", 1)])
def test_bounds_are_inclusive(key, edge):
    assert getattr(build(Params, {key: edge}, "x"), key) == edge


def test_a_needed_parameter_says_what_it_is():
    assert refusal("folder", Needs) == "folder: path is needed (folder of images); add path=..."
    assert built("folder:path=/a", Needs) == Needs("/a")
    assert build(Needs, {"path": Path("/a")}, "folder") == Needs("/a")  # as Python gives it


def test_a_needed_parameter_cannot_be_nothing():
    with pytest.raises(ParameterError, match="path takes str"):
        build(Needs, {"path": None}, "folder")


def test_no_value_at_all_is_one_where_it_is_the_default():
    assert built("net", Bare) == Bare() == build(Bare, {"hidden": []}, "net")
    assert label("net", Bare()) == "net"
    assert built("net:hidden=3", Bare) == Bare((3,))


def test_a_dataclass_may_check_its_fields_together():
    assert refusal("range:low=3", Pair) == "range: low must not exceed high"


def test_the_joint_makes_one_dotted_key_of_place_and_parameter():
    with pytest.raises(ParameterError, match=r"^suite\.toml: recipe\.width must be at least 1, not 0$"):
        build(Params, {"width": 0}, "suite.toml: recipe", ".")


@pytest.mark.parametrize("given", [{}, {"modern": None, "classic": None}])
def test_an_optional_parameter_stays_nothing(given):
    assert build(Optionals, given, "x") == Optionals(None, None)


def test_an_optional_parameter_is_converted():
    assert build(Optionals, {"modern": "1", "classic": "2"}, "x") == Optionals(1.0, 2)


def test_a_float_is_a_float_however_its_default_is_written():
    params = build(Params, {}, "x")
    assert type(params.scale) is float
    assert params == build(Params, {"scale": "10"}, "x") == build(Params, {"scale": 10.0}, "x")


# Declarations --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hint", [list[int], dict, tuple[str, ...], tuple[int, int], int | str, Any])
def test_a_parameter_is_of_a_type_that_the_command_line_can_write(hint):
    odd = make_dataclass("Odd", [("odd", hint, param(None))], frozen=True)
    with pytest.raises(ParameterError, match=r"^odd: a parameter is int, float, bool, str"):
        parameters(odd)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("width", "at least 1"), ("rate", "0 to 1"), ("norm", "batch | layer | none"), ("scale", ""), ("fast", "")],
)
def test_a_range_is_shown_in_words(name, shown):
    assert parameters(Params)[name].range == shown


def test_a_range_may_end_and_not_begin():
    most = make_dataclass("Most", [("most", float, param(0.0, "a bound", high=2.5))], frozen=True)
    assert parameters(most)["most"].range == "at most 2.5"


# Labels --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "text"),
    [
        (Params(), "x"),
        (Params(width=32), "x:width=32"),
        (Params(fast=True, hidden=(8, 16)), "x:fast=true,hidden=8x16"),
        (Params(rate=0.1, scale=10.0), "x:rate=0.1"),
        (Params(scale=2e-4), "x:scale=0.0002"),
        (Params(scale=1234567.0), "x:scale=1234567.0"),
        (Needs("/a"), "x:path=/a"),
    ],
)
def test_a_label_names_what_differs_from_the_defaults(params, text):
    assert label("x", params) == text


@given(
    width=st.integers(1, 10**20),
    rate=st.floats(0, 1),
    scale=st.floats(allow_nan=False, allow_infinity=False),
    norm=st.sampled_from(["batch", "layer", "none"]),
    fast=st.booleans(),
    hidden=st.lists(st.integers(1, 10**6), min_size=1, max_size=5).map(tuple),
    name=st.text("abcxyz0123456789-_./:=", max_size=12),
)
def test_a_label_reads_back_as_the_same_parameters(**values):
    params = Params(**values)
    (text,) = split(label("some-name", params))
    name, read = parse(text)
    assert name == "some-name"
    assert build(Params, read, name) == params


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_digit_of_a_number_is_lost_in_writing(number):
    assert float(format_value(number)) == number


def test_every_field_is_a_parameter():
    assert list(parameters(Params)) == [field.name for field in fields(Params)]
