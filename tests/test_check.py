"""The conformance suite: every built-in passes, every wrong plugin is named in a line, and pytest sees the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from wrong_plugins import PLUGINS, PLURAL, Wrong, modules

from ganzoo.errors import ParameterError
from ganzoo.registry.lookup import installed
from ganzoo.testing.subject import Subject, subjects
from ganzoo.testing.suite import ALL, Outcome, outcomes

ROOT = Path(__file__).resolve().parent.parent
SMALL = {"dcgan": ":width=16,latent=8", "resnet": ":width=8,critic_width=8", "sagan": ":width=8,critic_width=8"}
NEEDS_A_PATH = ("folder", "zip")
CORE = [one.name for one in installed().components if one.distribution == "ganzoo-core"]
NOT_OFTEN = ("sagan", "sndcgan", "resnet", "dcgan28")
"""Networks whose hundred passes take ten seconds; memory and options are left to `ganzoo check`."""


def quickly(name: str):
    return lambda check: name not in NOT_OFTEN or check.name not in ("memory", "options")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torchvision, which tries to download
@pytest.mark.parametrize("name", [name for name in CORE if name not in NEEDS_A_PATH])
def test_every_built_in_passes_every_check(name: str):
    for subject in subjects(name + SMALL.get(name, "")):
        assert [one for one in outcomes(subject, only=quickly(name), together=False) if one.bad] == []


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_what_must_be_told_a_path_is_asked_for_it(kind: str):
    with pytest.raises(ParameterError, match=f"^{kind}: path is needed .*add path="):
        subjects(kind)


def found(make_distribution, wrong: Wrong) -> list[Outcome]:
    make_distribution("ganzoo-wrong", {PLURAL[wrong.kind]: {wrong.name: "wrong_spec:SPEC"}}, modules(wrong))
    (component,) = [one for one in installed().components if one.distribution == "ganzoo-wrong"]
    return list(outcomes(Subject(component), together=False))


@pytest.mark.parametrize("wrong", PLUGINS.values(), ids=PLUGINS)
def test_every_wrong_plugin_is_named_in_one_line(make_distribution, wrong: Wrong):
    failed = [one for one in found(make_distribution, wrong) if one.bad]
    assert wrong.check in [one.check.name for one in failed], [(one.check.name, one.message) for one in failed]
    (named,) = [one for one in failed if one.check.name == wrong.check]
    assert wrong.says in named.message
    assert "\n" not in named.message
    assert named.check.reason and named.check.fix


def test_no_check_is_there_that_no_wrong_plugin_needs():
    """Two need a machine or a paper of their own."""
    told = {wrong.check for wrong in PLUGINS.values()}
    assert {check.name for check in ALL} - told == {
        "paper", "description", "describe", "varied", "batches", "scores", "cuda", "repeats"
    }  # fmt: skip
