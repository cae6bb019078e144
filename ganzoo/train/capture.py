"""Whole steps as CUDA graphs: hundreds of launches are recorded once and then made by one.

A graph repeats what the device did and asks Python nothing. So all that Python decides of a step is collected before
it, as the step's `Choices`, and a graph serves the steps whose choices equal those that it was captured with.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import is_
from typing import Any

import torch
from torch import Tensor

from ganzoo.errors import one_line

Choices = tuple[tuple[str, Hashable], ...]
"""What Python decides in a step: values by names that a user understands."""
Play = Callable[[int], None]
"""A step on the device, given its number."""

WARM_UP = 2
"""Steps with the same choices that run eagerly first: kernels are chosen, and optimisers make their state."""
GRAPHS = 4
"""Graphs that are kept, those used last; each may hold as much memory as a step takes."""
REMEMBERED = 16
"""Choices whose steps are counted, those made last."""
PATIENCE = 50
"""Steps after which a run that has not captured any yet says why."""
SETTLING = 2
"""Steps that may themselves change what Python decides, as the first does that moves a tensor to the GPU."""


def choices_of(name: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Hashable]]:
    """Yield what an object's values decide: numbers, strings, which tensors they are, and what holds such."""
    for key, value in values.items():
        if isinstance(value, Tensor):
            yield f"{name}.{key}", Same(value)
        elif value is None or isinstance(value, bool | int | float | str):
            yield f"{name}.{key}", repr(value)
        elif isinstance(value, Mapping | list | tuple | set | frozenset | deque):
            yield f"{name}.{key}", kept(value)


class Decided:
    """What objects decide, looked up anew only where a value is another, or may itself have changed."""

    def __init__(self) -> None:
        self.last: dict[str, tuple[list[str], list[Any], Choices]] = {}

    def by(self, name: str, values: Mapping[str, Any]) -> Choices:
        """Return what `choices_of` yields."""
        keys, now = list(values), list(values.values())
        if (before := self.last.get(name)) and before[0] == keys and all(map(is_, before[1], now)):
            return before[2]
        choices = tuple(choices_of(name, values))
        if any(map(_may_change, now)):
            self.last.pop(name, None)
        else:
            self.last[name] = keys, now, choices
        return choices


def _may_change(value: Any) -> bool:
    """Whether a value holds others that may be exchanged."""
    if isinstance(value, tuple | frozenset):
        return any(map(_may_change, value))
    return isinstance(value, Mapping | list | set | deque)


@dataclass(frozen=True, eq=False)
class Same:
    """A tensor, or another object, equal to itself alone: a graph knows the memory that it was captured with, no other.

    It is kept, so that none that comes later has its address.
    """

    value: object

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def kept(value: Any, unequal: tuple[type, ...] = (), deep: int = 8) -> Hashable:
    """Return a component's state in a form to compare: numbers by value, tensors and other objects by identity.

    A step that changes any of it is neither captured nor compiled. What is of an `unequal` type never equals itself.
    """
    if isinstance(value, unequal):
        return object()
    if deep and isinstance(value, Mapping):
        return type(value), tuple((key, kept(each, unequal, deep - 1)) for key, each in value.items())
    if deep and isinstance(value, list | tuple | set | frozenset | deque):
        return type(value), tuple(kept(each, unequal, deep - 1) for each in value)
    return value if isinstance(value, int | float | str | bytes | None) else Same(value)


class Unknown(int):
    """The number of a captured step: using its value raises an error that says what to do instead."""


def _refuse(*_: Any) -> Any:
    raise RuntimeError(
        "a component asks for the number of the step; it should decide by it in schedule(), and keep what it decided"
    )


for _operator in (
    *("eq", "ne", "lt", "le", "gt", "ge", "hash", "bool", "int", "float", "index", "divmod", "neg", "abs", "round"),
    *("add", "radd", "sub", "rsub", "mul", "rmul", "mod", "rmod", "floordiv", "rfloordiv", "truediv", "rtruediv"),
    *("pow", "rpow", "and", "rand", "rshift", "lshift"),
):
    setattr(Unknown, f"__{_operator}__", _refuse)


class Capture:
    """Carries out steps: the first of a kind eagerly, the others as graphs; all eagerly where that cannot be."""

    def __init__(
        self, generators: Sequence[torch.Generator], device: torch.device, tell: Callable[[str], None]
    ) -> None:
        """Prepare to capture steps that draw from these generators, all on one GPU, or from PyTorch's own.

        Args:
            generators: the run's own.
            device: the GPU.
            tell: is told why steps are not captured, once, where they are not.
        """
        self.device, self.tell = device, tell
        own = torch.cuda.default_generators[device.index or 0]
        self.generators = [*generators, own]
        current = torch.cuda.current_stream(device)  # of runs side by side, each has its own
        # PyTorch has 32: with a second one for each, the 17th run would share one, and cuBLAS's workspace, with another
        self.stream = torch.cuda.Stream(device) if current == torch.cuda.default_stream(device) else current
        self.pool = torch.cuda.graph_pool_handle()
        self.graphs: OrderedDict[Choices, torch.cuda.CUDAGraph] = OrderedDict()
        self.counts: OrderedDict[Choices, int] = OrderedDict()
        self.played = self.unsteady = 0
        self.last: Choices = ()
        self.reason = ""
        """Why steps are not captured; empty where they are, or may be yet."""

    def __call__(self, play: Play, number: int, decide: Callable[[], Choices]) -> None:
        """Carry out step `number`; `decide` tells the choices as they are."""
        choices = decide()
        graph = self.graphs.get(choices)
        if graph is None and not self.reason and self._counted(choices) > WARM_UP:
            graph = self._capture(play, choices)
        if graph is None:
            self._play(play, number)
            self._compare(choices, decide())
        else:
            self.graphs.move_to_end(choices)
            graph.replay()

    def forget(self) -> None:
        """Capture anew: the tensors that the graphs know may no longer be those of the run."""
        self.graphs.clear()
        self.counts.clear()

    def _counted(self, choices: Choices) -> int:
        """Count a step with these choices; return how many there have been."""
        self.counts[choices] = self.counts.pop(choices, 0) + 1
        if len(self.counts) > REMEMBERED:
            self.counts.popitem(last=False)
        return self.counts[choices]

    def _play(self, play: Play, number: int) -> None:
        """Carry out a step eagerly, on the stream that captures, so that all that a stream needs once is there."""
        current = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            play(number)
        current.wait_stream(self.stream)
        self.played += 1

    def _compare(self, before: Choices, after: Choices) -> None:
        """Find out whether the step changed the choices, as a graph would not, or whether they differ at every step."""
        self.unsteady += before != after
        if self.unsteady > SETTLING:
            self._refuse(f"{_changed(before, after)} changes within a step; change it in place, or in schedule()")
        elif self.played == PATIENCE and not self.graphs and not self.reason:
            self.tell(f"steps are not captured while {_changed(self.last, before)} changes from one to the next")
        self.last = before

    def _refuse(self, reason: str) -> None:
        """Capture no step from now on, and tell why, once."""
        if not self.reason:
            self.reason = reason
            self.graphs.clear()
            self.tell(f"steps are not captured: {reason}")

    def _capture(self, play: Play, choices: Choices) -> torch.cuda.CUDAGraph | None:
        """Return a step as a graph that has not run yet; None where it cannot be captured, and the reason is told."""
        states = [generator.get_state() for generator in self.generators]
        graph = torch.cuda.CUDAGraph()
        for generator in self.generators[:-1]:  # PyTorch registers its own by itself
            graph.register_generator_state(generator)
        try:
            with (
                torch.cuda.stream(self.stream),  # left again also where ending the capture raises, as CUDA's does
                torch.cuda.graph(graph, self.pool, self.stream, capture_error_mode="thread_local"),
            ):
                play(Unknown())
        except Exception as error:  # whatever a component does that a graph cannot hold
            self._give_up(error, states)
            return None
        self.graphs[choices] = graph
        if len(self.graphs) > GRAPHS:
            self.graphs.popitem(last=False)
        return graph

    def _give_up(self, error: BaseException, states: Sequence[Tensor]) -> None:
        """Never capture again. Nothing has run, but the generators still believe that they are being captured."""
        self._leave_pool()
        for generator, state in zip(self.generators, states, strict=True):
            fresh = torch.Generator(self.device)
            fresh.set_state(state)
            generator.graphsafe_set_state(fresh)
        while error.__context__ is not None:  # the first of them; ending the capture raised the others
            error = error.__context__
        self._refuse(one_line(error)[:300])

    def _leave_pool(self) -> None:
        """End the capture for PyTorch's allocator, too, where PyTorch has not: before 2.12, if ending it raised.

        Else no other run of the process could capture its steps, or some might share their memory.
        """
        device, own = self.device.index or 0, vars(torch._C)  # pyright: ignore[reportPrivateUsage]
        end = own.get("_cuda_endAllocateToPool") or own["_cuda_endAllocateCurrentStreamToPool"]  # PyTorch 2.6's name
        with suppress(RuntimeError):  # it has ended
            end(device, self.pool)
            own["_cuda_releasePool"](device, self.pool)


def _changed(before: Choices, after: Choices) -> str:
    """Return the names of what differs."""
    return ", ".join(sorted({name for name, _ in set(before) ^ set(after)}))
