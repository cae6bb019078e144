"""One run from data to scores: train, evaluate, checkpoint, and continue after any interruption."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import torch

from ganzoo.data.load import load_dataset
from ganzoo.engine.evaluator import Evaluator, Prepared, T, Turns
from ganzoo.engine.machine import environment, peak_memory, pick_device, use_float32
from ganzoo.engine.messages import Event, Options
from ganzoo.engine.profile import StepProfiler
from ganzoo.engine.progress import continued, resume, save
from ganzoo.engine.stopwatch import Stopwatch
from ganzoo.errors import Interrupted
from ganzoo.evaluate.metrics import Score, rank
from ganzoo.evaluate.reference import reference
from ganzoo.planning.run import Run
from ganzoo.registry.lookup import build_target
from ganzoo.registry.provenance import provenance
from ganzoo.results.store import CHECKPOINT, Checkpoint, Result, write_json
from ganzoo.train.checkpoint import MetricsLog, save_weights
from ganzoo.train.execution import choose_execution
from ganzoo.train.trainer import Trainer

Tell = Callable[[Event], None]
CHECKPOINT_SECONDS = 30.0


def prepare(run: Run, options: Options) -> Prepared:
    """Return data, feature network, reference and device of a run, checking that all of them are there."""
    device = pick_device(options.device)
    choose_execution(options.mode, options.precision, device)  # raises for a mode that the device does not have
    use_float32()
    data = load_dataset(run.dataset, Path(options.data_root))
    part = run.evaluation.extractor
    extractor = build_target(part.component)(part.typed_params).to(device)
    against = reference(data, extractor, run.evaluation, device, Path(options.cache))
    return Prepared(data, extractor, against, device)


class TrainingRun:
    """A run at work in its folder."""

    def __init__(
        self,
        run: Run,
        folder: Path,
        options: Options,
        tell: Tell,
        stopping: Callable[[], bool],
        shared: bool = False,
    ) -> None:
        """Build the run.

        Args:
            run: what the plan decided.
            folder: where its results go.
            options: how it is carried out.
            tell: is told what happens.
            stopping: tells whether to stop after the step at work.
            shared: whether other runs use the process in the meantime.
        """
        torch.set_num_threads(options.threads)
        self.run, self.folder, self.options, self.tell, self.stopping = run, folder, options, tell, stopping
        prepared = prepare(run, options)
        self.device, train = prepared.device, prepared.data.train
        self.plugins = provenance([*(part.distribution for part in run.parts), options.engine_distribution])
        self.steps: int = run.recipe["steps"]
        self.notes: list[str] = []
        self.log_every = max(1, min(100, self.steps // 50))
        execution = choose_execution(options.mode, options.precision, self.device)
        self.trainer = Trainer(run, train, self.device, self.log_every, execution, self._note)
        self.evaluator = Evaluator(run, self.trainer.game, prepared, shared)
        self.data_sha256 = prepared.data.sha256
        self.watch = Stopwatch(self.device, shared and self.device.type == "cuda")
        self.evaluation_steps = {round(self.steps * (i + 1) / run.points) for i in range(run.points)}

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self.tell(Event(kind="note", text=text))

    def finish(self) -> Result:
        """Carry the run out and return its result."""
        turns = self.turns()
        while True:
            try:
                next(turns)
            except StopIteration as end:
                return end.value

    def turns(self) -> Turns[Result]:
        """Train to the end, from the checkpoint where there is one; yield after each step, return the scored result.

        While the generator is scored it yields after each batch of samples.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "config.json", self.run)
        self.progress = resume(self.folder / CHECKPOINT, self.trainer, self.data_sha256)
        with closing(MetricsLog(self.folder / "metrics.jsonl", self.progress.log_bytes)) as self.log:
            self.tell(Event(kind="started", step=self.trainer.number))
            if self.progress.untrained is None:
                self.progress.untrained = yield from self._report(self.trainer.game.sampler())
            diverged = yield from self._train()
            result = yield from self._result(diverged)
        write_json(self.folder / "result.json", result)
        (self.folder / CHECKPOINT).unlink(missing_ok=True)
        return result

    def _train(self) -> Turns[tuple[int, str] | None]:
        """Train to the last step, yielding after each; return the step and the reason where the run diverges."""
        saved = time.monotonic()
        left = self.steps - self.trainer.number
        profiler = StepProfiler(self.folder / "trace.json", left) if self.options.profile else None
        bad = yield from self._evaluate_if_due()  # if the run was stopped while it was scored
        if bad:
            return bad
        while self.trainer.number < self.steps:
            if self.stopping():
                self._stop()
            with self.watch.step():
                if profiler is None:
                    self.trainer.step()
                elif text := profiler.step(self.trainer):
                    self.tell(Event(kind="note", text=text))
                evaluates = self.trainer.number in self.evaluation_steps
                reads = evaluates or self.trainer.number % self.log_every == 0
                bad = self._read_records() if reads else None
            if profiler and (evaluates or bad):
                profiler.pause()
            bad = bad or (yield from self._evaluate_if_due())
            if bad:
                return bad
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                self._checkpoint()
                saved = time.monotonic()
            yield
        return None

    def _read_records(self) -> tuple[int, str] | None:
        """Log the terms since the last reading; return where they stopped being finite."""
        means: dict[str, dict[str, float]] = {}
        bad: list[tuple[int, str]] = []
        for player, record in self.trainer.records.items():
            means[player], ago = record.read()
            if ago is not None:
                step = self.trainer.number - math.ceil(ago / self._steps_of(player))
                bad.append((step, f"the {player}'s loss is not finite"))
        if bad:  # where one player's loss breaks, the other's follows a step later
            return min(bad, key=lambda found: found[0])
        self.log.write({"step": self.trainer.number, **means})
        self.tell(Event(kind="progress", step=self.trainer.number, values={"terms": means}))
        return None

    def _steps_of(self, player: str) -> int:
        return self.run.recipe["n_critic"] if player == "discriminator" else 1

    def _evaluate_if_due(self) -> Turns[tuple[int, str] | None]:
        """Evaluate after a step that is an evaluation step, once."""
        number = self.trainer.number
        if number not in self.evaluation_steps or self.progress.evaluated == number:
            return None
        bad = yield from self._evaluate()
        self.progress.evaluated = number
        return bad

    def _evaluate(self) -> Turns[tuple[int, str] | None]:
        """Draw the generator's samples, score it on the selection sample, and keep its weights where it is the best."""
        network, number = self.trainer.game.sampler(), self.trainer.number
        if flaw := self.evaluator.flaw(network):
            return number, flaw
        if number < self.steps:  # the last step's picture is drawn when it is reported
            self.evaluator.draw(network, self.folder / f"samples-{number:0{len(str(self.steps))}}.png")
        first = self.run.evaluation.metrics[0]
        selection = yield from self._stoppable(self.evaluator.score(network, "select", (first,)))
        self.log.write({"step": number, "selection": selection})
        self.tell(Event(kind="evaluated", step=number, values=dict(selection)))
        place = rank(selection, first)
        if not self.progress.best_rank or place < self.progress.best_rank:
            self.progress.best_rank, self.progress.best_step = place, number
            self.progress.best_weights = {name: value.clone() for name, value in network.state_dict().items()}
        return None

    def _report(self, network: torch.nn.Module) -> Turns[Score]:
        return self._stoppable(self.evaluator.score(network, "report", self.run.evaluation.metrics))

    def _stoppable(self, turns: Turns[T]) -> Turns[T]:
        """Let scoring be stopped between two turns; it begins anew when the run goes on."""
        while True:
            try:
                next(turns)
            except StopIteration as end:
                return end.value
            if self.stopping():
                self._stop()
            yield

    def _stop(self) -> NoReturn:
        self._checkpoint()
        raise Interrupted(f"stopped at step {self.trainer.number}")

    def _result(self, diverged: tuple[int, str] | None) -> Turns[Result]:
        trainer, progress = self.trainer, self.progress
        last = best = None
        if diverged is None:
            network = trainer.game.sampler()
            if progress.last is None:
                progress.last = yield from self._report(network)
                save_weights(self.folder / "generator-last.safetensors", network.state_dict())
                self.evaluator.draw(network, self.folder / "samples.png")
            last = Checkpoint(self.steps, progress.last)
            network.load_state_dict(progress.best_weights)  # checkpoints from now on hold these
            same = progress.best_step == self.steps
            best = last if same else Checkpoint(progress.best_step, (yield from self._report(network)))
            save_weights(self.folder / "generator-best.safetensors", network.state_dict())
        assert progress.untrained is not None
        return Result(
            run=self.run.id,
            combination=self.run.combination,
            seed=self.run.seed,
            status="done" if diverged is None else "diverged",
            reason=diverged[1] if diverged else "",
            step=diverged[0] if diverged else self.steps,
            last=last,
            best=best,
            untrained=Checkpoint(0, progress.untrained),
            floor=self.evaluator.prepared.reference.floor,
            protocol=self.evaluator.prepared.reference.protocol,
            images_seen=trainer.images_a_step * (diverged[0] if diverged else self.steps),
            device_seconds=round(progress.device_seconds + self.watch.seconds, 3),
            evaluation_seconds=round(progress.evaluation_seconds + self.evaluator.seconds, 3),
            peak_memory_bytes=max(progress.peak_memory_bytes, peak_memory(self.device)),
            parameters={player: _count(module) for player, module in trainer.modules.items()},
            environment=self._environment(),
            plugins=continued(progress.plugins, self.plugins),
        )

    def _environment(self) -> dict[str, str]:
        """Return how the run was carried out, also before it was stopped and continued."""
        options, execution = self.options, self.trainer.execution
        now = environment(self.run.recipe, self.device, options.threads, execution, self.notes)
        return continued(self.progress.environment, {**now, "engine": options.engine})

    def _checkpoint(self) -> None:
        self.progress.log_bytes = self.log.flush()
        reached = replace(
            self.progress,
            peak_memory_bytes=max(self.progress.peak_memory_bytes, peak_memory(self.device)),
            device_seconds=self.progress.device_seconds + self.watch.seconds,
            evaluation_seconds=self.progress.evaluation_seconds + self.evaluator.seconds,
            environment=self._environment(),
            plugins=continued(self.progress.plugins, self.plugins),
        )
        save(self.folder / CHECKPOINT, self.trainer, reached)


def _count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
