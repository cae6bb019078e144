"""A trained generator, loaded from a run's folder to sample images from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ganzoo.engine.machine import fresh_defaults, pick_device
from ganzoo.errors import ParameterError, ResultsError
from ganzoo.evaluate.sampling import sample
from ganzoo.paths import exists
from ganzoo.planning.run import Run
from ganzoo.results.store import Result, read_json
from ganzoo.train.checkpoint import load_weights
from ganzoo.train.game import Game, build_game
from ganzoo.train.seeds import generator


class Sampler:
    """Draws images as the evaluation does: eval mode, no truncation, a seed of its own."""

    def __init__(self, run: Run, game: Game, device: torch.device) -> None:
        self.run, self.game, self.device = run, game, device

    @classmethod
    @fresh_defaults()
    def load(cls, folder: Path, which: str = "best", device: str = "cpu") -> Sampler:
        """Load the `best` or `last` generator of a finished run.

        Raises:
            ResultsError: the folder is not that of a run which trained to its end, or its weights are damaged.
        """
        if which not in ("best", "last"):
            raise ParameterError(f'which must be best or last, not "{which}"')
        if not exists(folder / "config.json"):
            raise ResultsError(f"{folder} is not a run: it has no config.json; give a combination's seed-N folder")
        if not (folder / "result.json").exists():
            raise ResultsError(f"{folder} has not finished; run the ganzoo bench command that made it again")
        result: Result = read_json(folder / "result.json", Result)
        if result.status != "done":
            raise ResultsError(f"{folder} holds no trained generator: it {result.outcome}")
        run: Run = read_json(folder / "config.json", Run)
        place = pick_device(device)
        with torch.random.fork_rng():  # the caller's own random numbers go on undisturbed
            game = build_game(run, place)
        weights = load_weights(folder / f"generator-{which}.safetensors")
        try:
            game.networks.generator.load_state_dict(weights)
        except RuntimeError as error:
            raise ResultsError(
                f"{folder}: its weights do not fit what is installed now ({run.architecture.name} was "
                f"{run.architecture.distribution} {run.architecture.version}): {error}"
            ) from None
        return cls(run, game, place)

    @fresh_defaults()
    def sample(self, count: int, seed: int = 0, classes: Tensor | Sequence[int] | None = None) -> Tensor:
        """Return uint8 images of shape (count, C, H, W); of a run on points, float32 in [-1, 1], not rounded.

        Args:
            count: how many.
            seed: of the latents and, for a conditional generator without `classes`, of uniformly drawn classes.
            classes: (count,) whole numbers below the generator's, for a conditional one.

        Raises:
            ParameterError: fewer than one, or classes that do not fit.
        """
        if count < 1:
            raise ParameterError(f"count must be at least 1, not {count}")
        rng = generator(seed, "samples", self.device)
        wanted = self.game.setting.classes
        if classes is not None:
            classes = torch.as_tensor(classes)
            if not wanted or classes.shape != (count,):
                raise ParameterError(f"classes: one for each of {count} images, for a generator of {wanted} classes")
            whole = not (classes.is_floating_point() or classes.is_complex() or classes.dtype == torch.bool)
            given, classes = classes, classes.to(self.device, torch.int64)
            if not whole or classes.min() < 0 or classes.max() >= wanted:
                raise ParameterError(f"classes: whole numbers from 0 to {wanted - 1}, not {given.tolist()[:20]}")
        elif wanted:
            classes = torch.randint(wanted, (count,), generator=rng, device=self.device)
        network, quantise = self.game.networks.generator, self.run.dtype == "uint8"
        batches = sample(network, self.game.latents, count, rng, classes, quantise=quantise)
        return torch.cat(list(batches)).cpu()
