"""The trainer: alternates the players' steps of any game. It knows hooks and no names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ganzoo.api import Images, Player, Progress, Rates
from ganzoo.data.batches import Batches
from ganzoo.planning.run import Run
from ganzoo.train.average import WeightAverage
from ganzoo.train.capture import Capture, Choices, Decided
from ganzoo.train.execution import EAGER, Execution
from ganzoo.train.game import Game, build_game
from ganzoo.train.optimizer import make_optimizer, restore, scheduled, set_rates
from ganzoo.train.passes import Compiled
from ganzoo.train.record import Record
from ganzoo.train.seeds import generator
from ganzoo.train.self_check import checked
from ganzoo.train.step import (
    Batch,
    PlayerStep,
    Settled,
    TermsOf,
    differentiate,
    discriminator_terms,
    frozen,
    generator_terms,
    settled,
)
from ganzoo.train.whole import Whole

PLAYERS: tuple[Player, Player] = ("discriminator", "generator")


class Drawn(NamedTuple):
    """A batch: which real images, their classes, and generated images with their latents."""

    chosen: Tensor
    """(N,) of the data."""
    labels: Tensor | None
    """(N,)"""
    latent: Tensor
    """(N, latent)"""
    fake: Tensor
    """(N, C, H, W) in [-1, 1]"""


class Trainer:
    """All state of a run in training; `state_dict` holds every bit that the rest of the run depends on."""

    def __init__(
        self,
        run: Run,
        images: Images,
        device: torch.device,
        log_every: int,
        execution: Execution = EAGER,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Build everything on a device.

        Args:
            run: what the plan decided.
            images: to train on.
            device: where.
            log_every: the most generator steps between two readings of the records.
            execution: how steps are carried out.
            tell: is told when steps cannot be executed that way, and why.
        """
        recipe = run.recipe
        self.run, self.recipe, self.device = run, recipe, device
        self.images_a_step = recipe["batch_size"] * recipe["n_critic"]
        self.game = build_game(run, device)
        execution = self.execution = checked(execution, self.game, tell)
        self.game.bf16 = execution.bf16
        self.whole = compiled = None
        if execution.compiled:
            self.game.once = compiled = Compiled(tell)
            self.whole = Whole(compiled, tell)
        self.settled: Callable[[TermsOf, Game, PlayerStep, Tensor], Settled] = self.whole or settled
        self.modules = {player: self.game.modules(player) for player in PLAYERS}
        if execution.channels_last:
            for modules in self.modules.values():
                modules.to(memory_format=torch.channels_last)
        self.average = None
        if recipe["ema_half_life"]:
            self.average = WeightAverage(self.game.networks.generator, recipe["ema_half_life"], self.images_a_step)
            self.game.tricks.append(("average", self.average))
        self.batches = Batches(images, recipe["batch_size"], run.seed, device)
        self.latent_rng = generator(run.seed, "latents", device)
        self.rng = generator(run.seed, "losses and tricks", device)
        self.optimizers = {
            player: make_optimizer(recipe, self.modules[player].parameters(), recipe[f"{player}_lr"], compiled)
            for player in PLAYERS
        }
        self.records = {
            "discriminator": Record(log_every * recipe["n_critic"], device),
            "generator": Record(log_every, device),
        }
        self.number = 0
        self.rates: Rates | None = None
        """What the optimisers are set to."""
        self.decided = Decided()
        self.capture = Capture([self.latent_rng, self.rng], device, tell) if execution.graph else None

    def step(self) -> None:
        """Train one generator step: decide what depends on Python's numbers, then play."""
        self._set_rates()
        self.batches.fetch(self.recipe["n_critic"] + (not self.recipe["reuse_fakes"]))
        with self.execution.kernels():
            if self.capture:
                self.capture(self.play, self.number, self._choices)
            else:
                self.play(self.number)
        self.number += 1

    def play(self, number: int) -> None:
        """Carry out generator step `number` on the device: n_critic discriminator steps, then the generator's.

        It may be played again without having run, where capturing it failed.
        """
        self.batches.rewind()
        reuse = self.recipe["reuse_fakes"]
        for _ in range(self.recipe["n_critic"] - 1):
            self._discriminator_step(number, self._draw(learning=False))
        drawn = self._draw(learning=reuse)
        self._discriminator_step(number, drawn)
        self._generator_step(number, drawn if reuse else self._draw(learning=True))

    def _set_rates(self) -> None:
        """Set the rates of this step: the recipe's schedule, then changed by the tricks."""
        rates = scheduled(self.recipe, self.number)
        progress = Progress(self.number, self.recipe["steps"], self.number * self.images_a_step)
        for _, trick in self.game.tricks:
            rates = trick.schedule(rates, progress)
        if rates != self.rates:
            for player in PLAYERS:
                set_rates(self.optimizers[player], player, rates)
            self.rates = rates
        if self.average:
            self.average.half_life = rates.ema_half_life if self.number else 0.0  # it starts at the first weights

    def _choices(self) -> Choices:
        """Return all that Python decides of the step that comes next."""
        named = [self.game.loss, *self.game.tricks]
        groups = [
            (player, {key: value for key, value in group.items() if key != "params"})  # which are always the same
            for player in PLAYERS
            for group in self.optimizers[player].param_groups
        ]
        return (
            *(choice for name, component in named for choice in self.decided.by(name, vars(component))),
            *(choice for player, rates in groups for choice in self.decided.by(f"{player}'s optimizer", rates)),
        )

    def _discriminator_step(self, number: int, drawn: Drawn) -> None:
        real = partial(self._real, drawn.chosen)
        if self.game.changes_real:
            real = real()  # tricks draw from one generator, in the order of the hooks
        batch = Batch(real, drawn.fake.detach(), drawn.latent, drawn.labels)
        step = self._player_step("discriminator", number, batch)
        if self.recipe["joint_pass"]:
            step.judged_together_by = self.game.judge_together
        self._learn(step, discriminator_terms)

    def _generator_step(self, number: int, drawn: Drawn) -> None:
        real = partial(self._real, drawn.chosen)  # few losses and tricks ask for them
        with frozen(self.modules["discriminator"]):
            step = self._player_step("generator", number, Batch(real, drawn.fake, drawn.latent, drawn.labels))
            self._learn(step, generator_terms)

    def _player_step(self, player: Player, number: int, batch: Batch) -> PlayerStep:
        return PlayerStep(player, number, batch, self.rng, self.game.judge, self.game.setting.packing)

    def _learn(self, step: PlayerStep, terms_of: TermsOf) -> None:
        """Update one player and log its terms; then loss and tricks act on the updated networks."""
        record = self.records[step.player]
        found = self.settled(terms_of, self.game, step, record.one)
        optimizer = self.optimizers[step.player]
        differentiate(optimizer, found.objective, record.one)
        if self.whole:
            self.whole.look(step.player, optimizer)
        optimizer.step()
        record.add(found.names, found.row)
        for component in self.game.components:
            component.after_step(step.player, self.game.networks, step.number)

    def _real(self, index: Tensor) -> Tensor:
        """Draw these real images (N, C, H, W) in [-1, 1], as the tricks change them."""
        images = self.batches.images(index)
        for _, trick in self.game.tricks:
            images = trick.real(images, self.rng)
        if self.execution.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        return images

    def _draw(self, learning: bool) -> Drawn:
        """Choose real images, and generate as many, of the same classes if the networks are conditional.

        The generator can learn from the images only if `learning` is set.
        """
        chosen = self.batches.next()
        labels = self.batches.classes(chosen)
        z = self.game.latents(len(chosen), self.latent_rng)
        with torch.set_grad_enabled(learning):
            return Drawn(chosen, labels, z, self.game.generate(z, labels))

    def state_dict(self) -> dict[str, Any]:
        """Return networks, optimisers, tricks, all random generators, and the places in data and schedule."""
        return {
            "number": self.number,
            "draws": self.batches.draws,
            "modules": {player: self.modules[player].state_dict() for player in PLAYERS},
            "optimizers": {player: self.optimizers[player].state_dict() for player in PLAYERS},
            "records": {player: self.records[player].state_dict() for player in PLAYERS},
            "tricks": [trick.state_dict() for _, trick in self.game.tricks],
            "compiled": self.whole.state_dict() if self.whole else None,
            "rng": {
                "latents": self.latent_rng.get_state(),
                "noise": self.rng.get_state(),
                "global": _global_rng(self.device),
            },
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue exactly where `state_dict` was taken."""
        for player in PLAYERS:
            self.modules[player].load_state_dict(state["modules"][player])
            restore(self.optimizers[player], state["optimizers"][player])
            self.records[player].load_state_dict(state["records"][player])
        for (_, trick), kept in zip(self.game.tricks, state["tricks"], strict=True):
            trick.load_state_dict(kept)
        if self.whole and (compiled := state.get("compiled")):  # not of another mode, or of an earlier version
            self.whole.load_state_dict(compiled)
        self.latent_rng.set_state(state["rng"]["latents"].cpu())
        self.rng.set_state(state["rng"]["noise"].cpu())
        torch.set_rng_state(state["rng"]["global"]["cpu"].cpu())
        if "cuda" in state["rng"]["global"]:
            torch.cuda.set_rng_state(state["rng"]["global"]["cuda"].cpu(), self.device)
        self.number, self.batches.draws = state["number"], state["draws"]
        self.rates = None
        if self.capture:
            self.capture.forget()


def _global_rng(device: torch.device) -> dict[str, Tensor]:
    """Return the states of PyTorch's own generators, which dropout draws from."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state
