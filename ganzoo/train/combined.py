"""Which kernels of a backward pass the compiler makes one: also those that nothing waits for, wherever they stand.

TorchInductor combines kernels that could run at the same time. One that turns a weight's gradient into float32 has none
beside it, and there is one for each weight; but they can all wait for the end.
"""

from __future__ import annotations

from typing import Any

THRESHOLD = "combo_kernel_peak_memory_pct_threshold"
"""PyTorch's name for how much more memory combining may take; where it is set, it groups in a way of its own."""


def combining() -> dict[str, Any]:
    """Return what to tell the compiler, for a GPU; `grouped` groups from now on."""
    from torch._inductor import config  # noqa: PLC0415  (seconds)
    from torch._inductor.scheduler import ForeachKernelSchedulerNode  # noqa: PLC0415

    ForeachKernelSchedulerNode.set_group_algorithm_for_combo_kernels(grouped)
    return {
        "combo_kernels": True,
        "combo_kernel_allow_mixed_sizes": 0,  # two in one grid, which is as high as one and as wide as both
        **({THRESHOLD: None} if hasattr(config, THRESHOLD) else {}),
    }


def grouped(scheduler: Any) -> list[list[Any]]:
    """Return the groups of kernels that may become one each: the compiler's own, and one of those that can wait.

    Sums cannot, as they would keep what they sum in memory until then.
    """
    from torch._inductor.scheduler import ForeachKernelSchedulerNode  # noqa: PLC0415
    from torch._inductor.virtualized import V  # noqa: PLC0415

    usual = ForeachKernelSchedulerNode._default_group_nodes_for_combo_kernels(scheduler)
    return separated(usual, scheduler.nodes) if V.graph.is_backward else usual


def separated(usual: list[list[Any]], nodes: list[Any]) -> list[list[Any]]:
    """Return these groups without the nodes that no other waits for, and those as a group of their own."""
    awaited = {name for node in nodes for name in node.ancestors - node.get_operation_names()}
    among = {id(node) for group in usual for node in group}
    last = [
        node
        for node in nodes
        if id(node) in among and not node.is_reduction() and awaited.isdisjoint(node.get_operation_names())
    ]
    taken = {id(node) for node in last}
    return [*([node for node in group if id(node) not in taken] for group in usual), last]
