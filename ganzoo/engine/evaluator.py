"""Score a run's generator in turns, between which the runs that share its process go on."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from ganzoo.api import Extractor
from ganzoo.data.load import Dataset
from ganzoo.evaluate.metrics import Score
from ganzoo.evaluate.reference import Reference
from ganzoo.evaluate.sampling import sample
from ganzoo.evaluate.scorer import COMPUTE, ON_DEVICE, Evidence, Extraction
from ganzoo.planning.run import Run
from ganzoo.results.picture import save_grid, save_scatter
from ganzoo.train.game import Game
from ganzoo.train.seeds import generator

PICTURE_IMAGES = 64
PICTURE_POINTS = 2000
LOOK_SECONDS = 0.0005
"""How long a turn waits for a metric that is computed in a thread."""

T = TypeVar("T")
Turns = Generator[None, None, T]
"""A generator that does its work in turns, and returns the result."""


@dataclass(frozen=True)
class Prepared:
    """What a run is trained and scored with."""

    data: Dataset
    extractor: Extractor
    reference: Reference
    device: torch.device


class Evaluator:
    """Draws from a run's generator, and scores what it draws."""

    def __init__(self, run: Run, game: Game, prepared: Prepared, shared: bool) -> None:
        """Score this run's game; `shared` where other runs use the process in the meantime."""
        self.run, self.game, self.prepared, self.shared = run, game, prepared, shared
        labels = prepared.data.train.labels
        self.labels = None if labels is None else torch.as_tensor(labels, device=prepared.device)
        self.seconds = 0.0
        """Time spent on scoring: its own turns, and other runs' turns while a metric was computed in a thread."""

    def score(self, network: nn.Module, purpose: str, metrics: Sequence[str]) -> Turns[Score]:
        """Draw samples and return their score; the same purpose means the same latents and classes."""
        turns = self._score(network, purpose, metrics)
        while True:
            started = time.perf_counter()
            try:
                next(turns)
            except StopIteration as end:
                return end.value
            finally:
                self.seconds += time.perf_counter() - started
            yield

    def _score(self, network: nn.Module, purpose: str, metrics: Sequence[str]) -> Turns[Score]:
        extraction = Extraction(self.prepared.extractor, metrics)
        for images in self.samples(network, self.run.evaluation.samples, purpose):
            extraction.add(images)
            yield
        fake, found = extraction.result(), Score()
        for name in metrics:
            found |= yield from self._compute(name, fake)
        return found

    def _compute(self, name: str, fake: Evidence) -> Turns[Score]:
        """Compute a metric: in a thread, between the other runs' turns, if the processor computes it."""
        compute = partial(COMPUTE[name], fake, self.prepared.reference.evidence)
        if not self.shared or name in ON_DEVICE:
            return compute()
        with ThreadPoolExecutor(1) as beside:
            future = beside.submit(compute)
            while wait([future], LOOK_SECONDS).not_done:
                left = time.perf_counter()
                yield
                self.seconds += time.perf_counter() - left
            return future.result()

    def samples(self, network: nn.Module, count: int, purpose: str) -> Iterator[Tensor]:
        """Draw images, in batches; the same purpose means the same latents and classes."""
        device = self.prepared.device
        rng = generator(self.run.seed, f"samples to {purpose}", device)
        labels = self.labels if self.game.setting.classes else None
        if labels is not None:
            labels = labels[torch.randint(len(labels), (count,), generator=rng, device=device)]
        return sample(network, self.game.latents, count, rng, labels, quantise=self.run.dtype == "uint8")

    def flaw(self, network: nn.Module) -> str:
        """Say what is plainly wrong with a generator's images; nothing where nothing is."""
        pixels = next(iter(self.samples(network, PICTURE_IMAGES, "picture")))
        if not pixels.isfinite().all():
            return "the generator's points are not finite"
        return "the generator draws one and the same image" if (pixels == pixels[0]).all() else ""

    def draw(self, network: nn.Module, file: Path) -> None:
        """Write a grid of samples; of points, a scatter over real ones."""
        points = self.run.dtype == "float32"
        drawn = torch.cat(list(self.samples(network, PICTURE_POINTS if points else PICTURE_IMAGES, "picture"))).cpu()
        if points:
            save_scatter(file, drawn, self.prepared.data.train.pixels[:PICTURE_POINTS])
        else:
            save_grid(file, drawn)
