"""Which kernels a compiled step would be on a GPU, without one: TorchInductor's code, which nothing runs.

    python benchmarks/speed/without_gpu.py [--only dcgan] [--batch 64] [--alone] [--code FOLDER]

A step is carried out on the CPU, and what is compiled of it goes to TorchInductor as if its tensors were on an H200.
cuDNN's convolutions may be several kernels each, and what is not compiled is not seen: random numbers, records, Adam.
PyTorch's own names are replaced in here, so that this may fail with other versions; it is written for 2.11 and 2.15.
"""

from __future__ import annotations

import argparse
import copy
import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

import torch
from measure import CASES, noise, plan
from torch import Tensor
from torch._dynamo.device_interface import CudaInterface
from torch._functorch.aot_autograd import make_boxed_func
from torch._inductor import compile_fx, config, decomposition, graph, scheduler, utils
from torch._inductor.decomposition import select_decomp_table
from torch._prims_common import suggest_memory_format
from torch.utils._pytree import tree_map
from triton.backends.compiler import GPUTarget
from triton.runtime import driver

from ganzoo.api import Images
from ganzoo.train import lanes, passes
from ganzoo.train.combined import combining
from ganzoo.train.execution import Execution
from ganzoo.train.trainer import Trainer

H200 = SimpleNamespace(
    name="NVIDIA H200", major=9, minor=0, multi_processor_count=132, total_memory=140 * 2**30, warp_size=32,
    regs_per_multiprocessor=65536, max_threads_per_multi_processor=2048, max_threads_per_block=1024,
    shared_memory_per_block_optin=232448, L2_cache_size=50 * 2**20, gcnArchName="",
)  # fmt: skip
GPU = torch.device("cuda", 0)
LAUNCH = re.compile(r"^\s+(?:\w+ = )?(\w*triton_\w+\.run|extern_kernels\.\w+|torch\.ops\.aten\.\w+)[.\w]*\((.*)$")


class Part(NamedTuple):
    """What became of one compiled graph."""

    backward: bool
    code: str

    def launches(self) -> list[str]:
        """Return what it asks a GPU for, in order, each as what is called and with what."""
        body = self.code.partition("def call(")[2]
        found = (LAUNCH.match(line) for line in body.splitlines() if "assert_" not in line)
        return [f"{one[1].removesuffix('.run')}({one[2].removesuffix(', stream=stream0)')}" for one in found if one]


class Generated(Exception):  # noqa: N818 (no error)
    """The code has been generated, and is not to be loaded."""


def main() -> None:
    """Print the launches of a case's step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="dcgan")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--alone", action="store_true", help="images not reused, passes not joined")
    parser.add_argument("--code", type=Path, help="a folder to write the generated code to")
    given = parser.parse_args()
    case = next(case for case in CASES if case.label.startswith(given.only))
    (run,) = plan(case, given.batch, joined=not given.alone)
    execution = Execution(channels_last=True, compiled=True, precision="bf16")
    parts = generated(lambda: Trainer(run, Images(noise(), None), torch.device("cpu"), 10, execution, print), steps=2)
    for number, part in enumerate(parts):
        name = f"{number}-{'backward' if part.backward else 'forward'}"
        print(f"{name}: {len(part.launches())}", *part.launches(), sep="\n    ")
        if given.code:
            given.code.mkdir(parents=True, exist_ok=True)
            (given.code / f"{name}.py").write_text(part.code)
    print(f"{case.label}, batch {given.batch}: {sum(len(part.launches()) for part in parts)} launches are compiled")


def generated(make: Callable[[], Trainer], steps: int) -> list[Part]:
    """Train on the CPU; return what TorchInductor would make for a GPU of all that is compiled."""
    parts: list[Part] = []

    def keep(lowered: Any) -> None:
        code, _ = lowered.codegen()
        parts.append(Part(lowered.is_backward, getattr(code, "value", code)))
        raise Generated

    def generate(module: torch.fx.GraphModule, inputs: Sequence[Any], **how: Any) -> Callable[..., Any]:
        runs = make_boxed_func(copy.deepcopy(module).forward)  # on the CPU
        _move(module)
        try:
            compile_fx.compile_fx_inner(module, [_moved(one) for one in inputs], **how)
        except Exception as error:
            if not _is_generated(error):
                raise
        return runs

    def compiled(module: torch.fx.GraphModule, inputs: Sequence[Any]) -> Any:
        table = lanes.replaced(select_decomp_table())
        return compile_fx.compile_fx(
            module, inputs, inner_compile=generate, config_patches=combining(), decompositions=table
        )

    with replaced(keep), mock.patch.object(passes, "inductor", compiled):
        trainer = make()
        for _ in range(steps):
            trainer.step()
    return parts


def replaced(keep: Callable[[Any], None]) -> ExitStack:
    """Return a context in which there seems to be a GPU, for the compiler and for what ganzoo tells it."""
    answers = {
        torch.cuda: {
            "get_device_properties": H200, "get_device_capability": (9, 0), "current_device": 0, "device_count": 1,
            "is_bf16_supported": True,
        },
        CudaInterface: {
            "get_device_properties": H200, "is_available": True, "get_compute_capability": 90, "current_device": 0,
            "is_bf16_supported": True,
            "device_count": 1,
        },
        CudaInterface.Worker: {"get_device_properties": H200},
        scheduler: {"has_triton": True},
        utils: {"has_triton": True},
        decomposition: {"is_gpu": True},
        lanes: {"copied": True},
    }  # fmt: skip
    target = SimpleNamespace(
        get_current_target=lambda: GPUTarget("cuda", 90, 32),
        get_current_device=lambda: 0,
        get_active_torch_device=lambda: GPU,
    )
    with ExitStack() as stack:
        for owner, values in answers.items():
            for name, value in values.items():
                stack.enter_context(mock.patch.object(owner, name, lambda *_, value=value, **__: value, create=True))
        stack.enter_context(mock.patch.object(lanes, "padded", lambda x: x.dtype == torch.bfloat16))
        stack.enter_context(mock.patch.object(lanes, "single", lambda _, b: 1 in b.shape))
        stack.enter_context(mock.patch.object(torch._C, "_conv_determine_backend_memory_format", _layout))
        stack.enter_context(mock.patch.object(graph.GraphLowering, "compile_to_module", keep))
        stack.enter_context(config.patch(fx_graph_cache=False))
        stack.enter_context(mock.patch.object(driver, "_active", target))
        return stack.pop_all()


def _layout(x: Tensor, w: Tensor, _: Any) -> torch.memory_format:
    """Return the memory format of cuDNN's results."""
    inner = torch.channels_last
    wanted = x.ndim == 4 and inner in (suggest_memory_format(x), suggest_memory_format(w))
    return inner if wanted else torch.contiguous_format


def _move(module: torch.fx.GraphModule) -> None:
    """Have a graph's tensors be a GPU's."""
    for node in module.graph.nodes:
        node.meta.update({"val": tree_map(_moved, node.meta["val"])} if "val" in node.meta else {})
        node.args, node.kwargs = tree_map(_device, node.args), tree_map(_device, node.kwargs)
    module.recompile()


def _moved(one: Any) -> Any:
    """Return what a GPU would hold of a tensor without contents."""
    if not isinstance(one, Tensor):
        return one
    with one.fake_mode:  # pyright: ignore[reportAttributeAccessIssue]
        return torch.empty_strided(one.shape, one.stride(), dtype=one.dtype, device=GPU)


def _device(one: Any) -> Any:
    return GPU if isinstance(one, torch.device) else one


def _is_generated(error: BaseException | None) -> bool:
    """Whether it is ours, or of ours."""
    return error is not None and (isinstance(error, Generated) or _is_generated(error.__cause__ or error.__context__))


if __name__ == "__main__":
    main()
