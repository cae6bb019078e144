"""Kernels that nothing waits for become one, and the compiler is told so in its own terms."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from ganzoo.train import combined


@dataclass(eq=False)
class Node:
    """What is looked at of a kernel that is to be."""

    name: str
    ancestors: set[str] = field(default_factory=set)
    sums: bool = False

    def get_operation_names(self) -> set[str]:
        return {self.name}

    def is_reduction(self) -> bool:
        return self.sums


def test_what_others_wait_for_and_sums_stay_where_they_are():
    first, cast = Node("convolution"), Node("cast", {"convolution"})
    later, sums = Node("later", {"convolution"}), Node("sums", {"convolution", "later"}, sums=True)
    other, extern = Node("other", {"convolution", "later", "other"}), Node("extern", {"later"})  # other is fused
    usual = [[first], [cast, later], [sums, other]]
    found = combined.separated(usual, [first, cast, later, sums, other, extern])
    assert found == [[first], [later], [sums], [cast, other]]


@pytest.mark.parametrize("backward", [True, False])
def test_the_compiler_groups_by_it_in_a_backward_pass_alone(monkeypatch, backward):
    from torch._inductor import config
    from torch._inductor.scheduler import ForeachKernelSchedulerNode
    from torch._inductor.virtualized import V

    first, last = Node("first"), Node("last", {"first"})
    told: list[Any] = []

    class Known(ForeachKernelSchedulerNode):
        """Remembers what it is told, in place of PyTorch's own."""

    monkeypatch.setattr("torch._inductor.scheduler.ForeachKernelSchedulerNode", Known)
    monkeypatch.setattr(Known, "_default_group_nodes_for_combo_kernels", lambda scheduler: [[first, last]])
    monkeypatch.setattr(Known, "set_group_algorithm_for_combo_kernels", told.append)
    patches = combined.combining()
    with config.patch(patches):  # which it knows by these names
        assert config.combo_kernels and not config.combo_kernel_allow_mixed_sizes
    graph = type("Graph", (), {"is_backward": backward})()
    scheduler = type("Scheduler", (), {"nodes": [first, last]})()
    with V.set_graph_handler(graph):
        assert told[0](scheduler) == ([[first], [last]] if backward else [[first, last]])
