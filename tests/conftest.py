"""What several test files share: a cache of their own, and distributions that exist only while a test runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from clean_environment import build_wheels
from hypothesis import settings

from ganzoo.registry.lookup import installed

settings.register_profile("ganzoo", deadline=None, derandomize=True)  # the same examples each time, however long
settings.load_profile("ganzoo")

if "PYTEST_XDIST_WORKER" in os.environ:  # one of `pytest -n`, beside one for each other core
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of torch, which nothing has imported yet, and of what tests start

MakeDistribution = Callable[..., Path]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep every test, and what it starts, out of the user's cache."""
    folder = tmp_path_factory.mktemp("ganzoo-cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANZOO_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def own_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return ganzoo's own wheel, built once for all tests."""
    (wheel,) = build_wheels([Path(__file__).resolve().parent.parent], tmp_path_factory.mktemp("own-wheel"))
    return wheel


@pytest.fixture
def double() -> Iterator[None]:
    """Compute in float64. GANs are chaotic: in float32, differences of rounding grow to 1e-3 within 20 steps."""
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.fixture
def make_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeDistribution]:
    """Return a function that installs a distribution in a folder at the front of sys.path, for one test.

    `make_distribution("ganzoo-sphere", {"ganzoo.losses": {"sphere": "sphere:SPEC"}}, {"sphere": "SPEC = ..."})`
    writes `ganzoo_sphere-1.0.dist-info/entry_points.txt` and the module `sphere.py`, and returns the folder. `raw`
    is written as entry_points.txt as it stands; `site` names another folder than the usual one.
    """
    before = set(sys.modules)

    def make(
        name: str,
        entries: Mapping[str, Mapping[str, str]] | None = None,
        modules: Mapping[str, str] | None = None,
        *,
        version: str = "1.0",
        raw: bytes | None = None,
        site: str = "site",
    ) -> Path:
        folder = tmp_path / site
        info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        lines = [
            line
            for group, names in (entries or {}).items()
            for line in (f"[{group}]", *(f"{key} = {value}" for key, value in names.items()))
        ]
        (info / "entry_points.txt").write_bytes("\n".join([*lines, ""]).encode() if raw is None else raw)
        for module, source in (modules or {}).items():
            (folder / f"{module}.py").write_text(source, encoding="utf-8")
        if str(folder) not in sys.path:
            monkeypatch.syspath_prepend(folder)
        installed.cache_clear()
        return folder

    yield make
    installed.cache_clear()
    for module in set(sys.modules) - before:
        if str(getattr(sys.modules[module], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[module]


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile as far as the graphs of both passes, which takes no compiler of the machine."""
    import torch
    from torch._dynamo.backends.debugging import aot_eager

    from ganzoo.train import passes

    monkeypatch.setattr(passes, "inductor", aot_eager)
    torch._dynamo.reset()
