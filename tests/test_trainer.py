"""The trainer: one objective, one backward, one optimiser step a player step, and resuming bit by bit."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode
from zoo import play

import ganzoo
from ganzoo.api import Images, NoParams, Trick
from ganzoo.data.batches import Batches, to_pixels, to_unit
from ganzoo.engine.job import TrainingRun
from ganzoo.engine.messages import Options
from ganzoo.errors import Interrupted, ResultsError
from ganzoo.planning.run import Run
from ganzoo.registry.lookup import build_target
from ganzoo.results.rows import Summary
from ganzoo.results.tables import notes
from ganzoo.train.checkpoint import MetricsLog, load_checkpoint, load_weights
from ganzoo.train.optimizer import scheduled
from ganzoo.train.record import Record
from ganzoo.train.step import Batch, PlayerStep, discriminator_terms
from ganzoo.train.trainer import Trainer

CPU = torch.device("cpu")


def images(count: int = 64) -> Images:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 1, 8, 8), dtype=np.uint8)
    return Images(pixels, np.arange(count) % 10)


def trainer(model="mlp", loss="bce", steps=5, **request) -> Trainer:
    recipe = {"steps": steps, "batch_size": 8, **request.pop("recipe", {})}
    return Trainer(ganzoo.plan(model=model, loss=loss, recipe=recipe, **request).runs[0], images(), CPU, log_every=10)


def count_calls(module: torch.nn.Module) -> list[int]:
    sizes: list[int] = []
    module.register_forward_hook(lambda _, inputs, __: sizes.append(len(inputs[0])))
    return sizes


def test_a_batch_passes_the_discriminator_once_a_player_step():
    """Real and fake for the discriminator; for the generator, fake, and real since feature matching asks for it."""
    one = trainer(trick="feature-matching:replace=false,label-smoothing")
    passes = count_calls(one.game.networks.body)
    one.step()
    assert passes == [8, 8, 8, 8]


def test_the_penalty_adds_one_pass_and_no_optimiser_step():
    one = trainer(loss="wgan-gp", recipe={"n_critic": 3})
    passes = count_calls(one.game.networks.body)
    one.step()
    assert len(passes) == 3 * 3 + 1
    steps = {int(state["step"]) for state in one.optimizers["discriminator"].state.values()}
    assert steps == {3}


def test_each_player_differentiates_once(monkeypatch):
    calls = []
    backward = torch.Tensor.backward
    monkeypatch.setattr(torch.Tensor, "backward", lambda *args, **kwargs: calls.append(1) or backward(*args, **kwargs))
    trainer(trick="feature-matching:replace=false").step()
    assert len(calls) == 2


def test_a_player_never_moves_the_others_weights():
    one = trainer()
    weights = {player: [w.clone() for w in one.modules[player].parameters()] for player in one.modules}
    play(one, "discriminator")
    assert all(map(torch.equal, weights["generator"], one.modules["generator"].parameters()))
    moved = [w.clone() for w in one.modules["discriminator"].parameters()]
    play(one, "generator")
    assert all(map(torch.equal, moved, one.modules["discriminator"].parameters()))
    assert not any(w.requires_grad is False for w in one.modules["discriminator"].parameters())


class R1(Trick[NoParams]):
    """Mescheder et al. 2018: E |grad D(x)|^2 on real images, through the shared pass."""

    differentiates = ("real",)

    def discriminator(self, step):
        (gradient,) = torch.autograd.grad(step.judge(step.real).logits.sum(), step.real, create_graph=True)
        return {"penalty": gradient.flatten(1).square().sum(1).mean()}


def test_a_penalty_on_real_images_shares_the_pass_of_the_loss():
    one = trainer()
    one.game.tricks.append(("r1", R1(NoParams())))
    passes = count_calls(one.game.networks.body)
    real, labels = one.batches.draw()
    batch = Batch(real, real.clone(), real.flatten(1), labels)
    step = PlayerStep("discriminator", 0, batch, one.rng, one.game.judge)
    terms = discriminator_terms(one.game, step)
    assert passes == [8, 8] and terms["r1/penalty"] > 0


class Extra(Trick[NoParams]):
    """Adds a trainable part to the generator's player, as InfoGAN's Q head is."""

    def modules(self, networks, setting):
        self.q = torch.nn.Linear(networks.features, 3)
        return {"generator": self.q}

    def generator(self, step):
        return {"q": self.q(step.judge(step.fake).features).square().mean()}


def test_extra_parts_are_trained_by_the_player_that_they_name(monkeypatch):
    from ganzoo.train import game

    monkeypatch.setattr(game, "build_target", lambda part: Extra if part.name == "ema" else load(part))
    load = build_target
    one = trainer(trick="ema")
    extra = one.game.tricks[0][1]
    before = extra.q.weight.clone()
    play(one, "discriminator")
    assert torch.equal(extra.q.weight, before)
    play(one, "generator")
    assert not torch.equal(extra.q.weight, before)


def test_state_goes_through_a_dict_and_back():
    one, two = trainer(trick="ema", model="dcgan"), trainer(trick="ema", model="dcgan", seeds="5,6")
    for _ in range(3):
        one.step()
    two.load_state_dict(one.state_dict())
    assert all(map(torch.equal, one.game.sampler().state_dict().values(), two.game.sampler().state_dict().values()))
    assert (two.number, two.batches.draws) == (one.number, one.batches.draws)


def test_batches_are_a_function_of_seed_and_number():
    one, two = (Batches(images(), 8, seed=3, device=CPU) for _ in range(2))
    drawn = [one.draw()[0] for _ in range(20)]
    two.draws = 13
    assert torch.equal(two.draw()[0], drawn[13])
    assert not torch.equal(drawn[0], Batches(images(), 8, seed=4, device=CPU).draw()[0])


def test_an_epoch_shows_every_image_once():
    data = Images(np.arange(24, dtype=np.uint8).reshape(24, 1, 1, 1), None)
    batches = Batches(data, 8, seed=0, device=CPU)
    for _ in range(2):
        epoch = torch.cat([to_pixels(batches.draw()[0]) for _ in range(3)])
        assert sorted(epoch.flatten().tolist()) == list(range(24))


def test_an_incomplete_batch_is_dropped_and_several_are_fetched_across_epochs():
    data = Images(np.arange(11, dtype=np.uint8).reshape(11, 1, 1, 1), None)
    one, several = (Batches(data, 4, seed=0, device=CPU) for _ in range(2))
    drawn = torch.stack([one.next().clone() for _ in range(10)])
    for epoch in drawn.view(5, 8):
        assert len(epoch.unique()) == 8
    several.fetch(5)
    assert torch.equal(torch.stack([several.next() for _ in range(5)]), drawn[:5])


def test_pixels_survive_the_way_to_unit_range_and_back():
    pixels = torch.arange(256, dtype=torch.uint8)
    assert to_unit(pixels).min() == -1 and to_unit(pixels).max() == 1
    assert torch.equal(to_pixels(to_unit(pixels)), pixels)


def test_rounding_is_that_of_published_scores():
    assert to_pixels(torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0])).tolist() == [0, 0, 128, 255, 255]


def test_linear_decay_ends_at_zero():
    recipe = trainer(steps=4, recipe={"lr_schedule": "linear", "generator_lr": 1.0}).recipe
    assert [scheduled(recipe, step).generator_lr for step in range(5)] == [1, 0.75, 0.5, 0.25, 0]
    assert scheduled({**recipe, "lr_schedule": "constant"}, 3).generator_lr == 1


def test_a_record_names_the_first_step_that_was_not_finite():
    record = Record(5, CPU)
    for value in (1.0, 3.0, float("nan"), 2.0):
        record.add(("a",), torch.tensor([value, value, 1]))
    assert record.read().bad == 2  # the third of four, counted from the last
    record.add(("a",), torch.tensor([4.0, 4.0, 1.0]))
    record.add(("a", "lazy"), torch.tensor([8.0, 1.0, 9.0, 1.0]))
    assert record.read() == ({"a": 6.0, "lazy": 1.0}, None)


class NoReading(TorchFunctionMode):
    """Fails when a tensor's value is asked for on the host, which on a GPU would be a synchronisation."""

    READS = (torch.Tensor.item, torch.Tensor.tolist, torch.Tensor.__bool__, torch.Tensor.__float__, torch.Tensor.numpy)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        assert func not in self.READS, f"a training step reads a tensor on the host: {func}"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("loss", ["bce", "hinge", "wgan-gp"])
def test_a_step_reads_no_tensor_on_the_host(loss):
    one = trainer(model="dcgan", loss=loss, trick="ema,feature-matching,spectral-norm")
    one.step()
    with NoReading():
        one.step()


COMBINATIONS = [
    {"model": "dcgan:width=8", "loss": "bce", "trick": "ema,label-smoothing"},
    {"model": "dcgan:width=8", "loss": "wgan-gp:n_critic=2", "trick": "spectral-norm,uniform-latent"},
    {"model": "mlp:generator=32,discriminator=32", "loss": "hinge", "trick": "projection,feature-matching,ttur"},
]


def finish(run, folder: Path, stop_at: tuple[int, ...] = ()):
    """Carry a run out, interrupted after each of these steps and continued by a new job."""
    for step in stop_at:
        with pytest.raises(Interrupted):
            job(run, folder, stop_at=step).finish()
        with (folder / "metrics.jsonl").open("a") as log:
            log.write('{"written after the checkpoint": "by a run that was killed"}\n')
    return job(run, folder).finish()


def job(run, folder: Path, stop_at: int | None = None, **how) -> TrainingRun:
    options = Options(device="cpu", data_root="", cache=str(folder.parent / "cache"), **how)
    made = TrainingRun(run, folder, options, lambda _: None, stopping=lambda: made.trainer.number == stop_at)
    return made


@pytest.mark.parametrize("request_", COMBINATIONS, ids=lambda request_: request_["loss"])
def test_a_killed_and_resumed_run_ends_bit_identical(request_, tmp_path):
    recipe = {"steps": 12, "batch_size": 16, "lr_schedule": "linear"}
    run = ganzoo.plan(**request_, recipe=recipe, samples=50, evaluations=3).runs[0]
    whole, broken = finish(run, tmp_path / "whole"), finish(run, tmp_path / "broken", stop_at=(0, 1, 4, 7, 12))
    pictures = ["samples-04.png", "samples-08.png", "samples.png"]
    assert sorted(file.name for file in (tmp_path / "whole").glob("*.png")) == pictures
    for file in ("generator-last.safetensors", "generator-best.safetensors", "metrics.jsonl", *pictures):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "broken" / file).read_bytes(), file
    assert (broken.last, broken.best, broken.untrained) == (whole.last, whole.best, whole.untrained)
    assert not (tmp_path / "broken" / "checkpoint.pt").exists()


def test_pictures_show_the_same_latents_as_training_goes_on(tmp_path):
    """So that the one of a step is the last of a run that ends there."""
    long, short = (
        ganzoo.plan(model="mlp", loss="bce", recipe={"steps": steps}, samples=50, evaluations=2).runs[0]
        for steps in (8, 4)
    )
    finish(long, tmp_path / "long")
    finish(short, tmp_path / "short")
    assert (tmp_path / "long" / "samples-4.png").read_bytes() == (tmp_path / "short" / "samples.png").read_bytes()
    assert (tmp_path / "long" / "samples-4.png").read_bytes() != (tmp_path / "long" / "samples.png").read_bytes()


def test_a_result_tells_each_way_in_which_its_run_was_carried_out(tmp_path):
    run = ganzoo.plan(model="mlp", loss="bce", recipe={"steps": 6}, samples=50, evaluations=1).runs[0]
    for step, mode, precision in ((1, "eager", "fp32"), (2, "eager", "fp32"), (4, "fast", "fp32"), (5, "fast", "bf16")):
        with pytest.raises(Interrupted):
            job(run, tmp_path / "run", step, mode=mode, precision=precision).finish()
    found = job(run, tmp_path / "run", mode="fast", precision="bf16").finish().environment
    assert found["mode"] == "eager, then fast" and found["threads"] == "1"
    assert found["precision"].startswith("float32, then bfloat16 networks")


def test_a_result_tells_all_code_that_its_run_was_carried_out_with(tmp_path, monkeypatch):
    run = ganzoo.plan(model="mlp", loss="bce", recipe={"steps": 4}, samples=50, evaluations=1).runs[0]

    def installed(**hashes: str) -> None:
        monkeypatch.setattr(
            "ganzoo.engine.job.provenance", lambda names: {f"{name} 1.0": hashes[name] for name in hashes}
        )

    for step, hashes in ((1, {"x": "1" * 64}), (2, {"x": "2" * 64, "y": "3" * 64})):
        installed(**hashes)
        with pytest.raises(Interrupted):
            job(run, tmp_path / "run", step).finish()
    found = job(run, tmp_path / "run").finish().plugins
    assert found == {"x 1.0": f"{'1' * 64}, then {'2' * 64}", "y 1.0": "3" * 64}
    shown = notes(Summary((), (), 0, tuple(found.items())))
    assert "Plugins: x 1.0 (sha256 11111111), x 1.0 (sha256 22222222), y 1.0 (sha256 33333333)." in shown
    assert [note for note in shown if note.startswith("Warning")] == [
        "Warning: x 1.0 changed between or within these runs, without another version."
    ]


def test_a_run_stopped_while_its_last_generator_is_scored_ends_as_one_that_is_not(tmp_path):
    run = ganzoo.plan(model="mlp", loss="bce", recipe={"steps": 6}, samples=300, evaluations=2).runs[0]
    whole, folder = finish(run, tmp_path / "whole"), tmp_path / "stopped"
    made = job(run, folder)
    made.stopping = lambda: made.progress.evaluated == 6
    with pytest.raises(Interrupted):
        made.finish()
    assert (folder / "checkpoint.pt").exists() and made.trainer.game.networks.generator.training
    again = finish(run, folder)
    assert (again.last, again.best) == (whole.last, whole.best)
    assert (folder / "metrics.jsonl").read_bytes() == (tmp_path / "whole" / "metrics.jsonl").read_bytes()


def test_a_run_stopped_while_its_best_generator_is_scored_keeps_its_last(tmp_path, monkeypatch):
    monkeypatch.setattr("ganzoo.engine.job.rank", lambda score, metric: (0.0,))  # the first is the best
    run = ganzoo.plan(model="mlp", loss="bce", recipe={"steps": 6}, samples=300, evaluations=2).runs[0]
    whole, folder = finish(run, tmp_path / "whole"), tmp_path / "stopped"
    made = job(run, folder)
    made.stopping = (folder / "samples.png").exists  # of the last one
    with pytest.raises(Interrupted):
        made.finish()
    again = finish(run, folder)
    assert (again.last, again.best) == (whole.last, whole.best)
    for file in ("generator-last.safetensors", "generator-best.safetensors", "samples.png"):
        assert (tmp_path / "whole" / file).read_bytes() == (folder / file).read_bytes(), file


def test_the_seed_decides_everything(tmp_path):
    runs = ganzoo.plan(model="mlp", loss="bce", seeds=2, recipe={"steps": 2}, samples=50, evaluations=1).runs
    first, again, other = (finish(run, tmp_path / str(i)) for i, run in enumerate((runs[0], runs[0], runs[1])))
    assert first.last == again.last
    assert first.last != other.last


def test_the_best_checkpoint_is_chosen_on_other_samples_than_it_is_reported_on(tmp_path):
    run = ganzoo.plan(model="mlp", loss="bce", recipe={"steps": 6}, samples=50, evaluations=3).runs[0]
    result = finish(run, tmp_path / "run")
    text = (tmp_path / "run" / "metrics.jsonl").read_text()
    assert result.best is not None and str(result.best.score["fid"]) not in text


@pytest.mark.parametrize("metrics", ["fid", "modes"])
def test_a_generator_whose_points_are_no_numbers_has_diverged_whatever_the_last_loss_was(metrics, tmp_path):
    recipe = {"steps": 1, "generator_lr": 1e38}
    request = {"dataset": "ring", "metrics": metrics, "samples": 50, "evaluations": 1, "recipe": recipe}
    result = finish(ganzoo.plan(model="mlp", loss="bce", **request).runs[0], tmp_path / "run")
    assert (result.status, result.step, result.last) == ("diverged", 1, None)
    assert result.reason == "the generator's points are not finite"


def test_a_log_that_was_cut_twice_holds_no_gap(tmp_path):
    file = tmp_path / "metrics.jsonl"
    log = MetricsLog(file, 0)
    log.write({"kept": 1})
    kept = log.flush()
    log.write({"lost": "after the checkpoint"})
    log.close()
    again = MetricsLog(file, kept)
    assert again.flush() == kept
    again.write({"next": 2})
    again.close()
    assert file.read_bytes() == b'{"kept":1}\n{"next":2}\n'


@pytest.mark.parametrize("content", [b'{"kept":1}\n{"ne', b"", None])
def test_a_log_that_is_older_than_its_checkpoint_is_refused_with_the_remedy(tmp_path, content):
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(content) if content is not None else None
    with pytest.raises(ResultsError, match=f"bytes that its checkpoint was written with; delete {tmp_path} to start"):
        MetricsLog(file, 22)
    assert (file.read_bytes() if file.exists() else None) == content


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"device": "cuda"}, "written on cuda; continue with --device cuda, or delete"),
        ({"format": 1}, "written by another version of ganzoo: continue with that one, or delete"),
    ],
)
def test_a_checkpoint_that_cannot_be_continued_is_refused_with_the_remedy(tmp_path, changed, said):
    run = ganzoo.plan(model="mlp", loss="bce", recipe={"steps": 4}, samples=50, evaluations=1).runs[0]
    with pytest.raises(Interrupted):
        job(run, tmp_path / "run", stop_at=2).finish()
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    torch.save(state | changed, tmp_path / "run" / "checkpoint.pt")
    with pytest.raises(ResultsError, match=said):
        job(run, tmp_path / "run").finish()


def test_a_checkpoint_of_code_that_has_changed_since_is_refused_with_the_remedy(tmp_path, monkeypatch):
    run = ganzoo.plan(model="mlp", loss="bce", recipe={"steps": 4}, samples=50, evaluations=1).runs[0]
    with pytest.raises(Interrupted):
        job(run, tmp_path / "run", stop_at=2).finish()
    other = ganzoo.plan(model="mlp:generator=16", loss="bce").runs[0].architecture
    changed = msgspec.structs.replace(run, architecture=other)
    monkeypatch.setattr(Run, "id", run.id)
    with pytest.raises(ResultsError, match=r"not fit what is installed now \(RuntimeError: .*, or delete") as caught:
        job(changed, tmp_path / "run").finish()
    assert "\n" not in str(caught.value)


def test_a_device_without_room_does_not_damage_a_checkpoint(tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("tried to allocate 2 GiB")

    (tmp_path / "checkpoint.pt").touch()
    monkeypatch.setattr(torch, "load", full)
    with pytest.raises(torch.OutOfMemoryError):
        load_checkpoint(tmp_path / "checkpoint.pt", CPU)


@pytest.mark.parametrize("content", [None, b"", b"\x08\0\0\0\0\0\0\0{}"])
def test_weights_that_are_missing_or_damaged_are_named_with_the_remedy(tmp_path, content):
    file = tmp_path / "generator-best.safetensors"
    file.write_bytes(content) if content is not None else None
    remedy = f"; delete {tmp_path} and run the ganzoo bench command that made it again"
    with pytest.raises(ResultsError, match=rf"{file} is (missing|damaged \(.*\)){remedy}$"):
        load_weights(file)


@pytest.mark.parametrize("evaluations", [6, 7, 10**18])
def test_a_run_is_evaluated_after_each_step_and_no_more(evaluations, tmp_path):
    run = ganzoo.plan(model="mlp", loss="bce", recipe={"steps": 6}, evaluations=evaluations).runs[0]
    assert job(run, tmp_path / "run").evaluation_steps == {1, 2, 3, 4, 5, 6}


def test_loading_a_run_leaves_the_callers_random_numbers_alone(tmp_path):
    run = ganzoo.plan(model="mlp", loss="bce", recipe={"steps": 1}, samples=50, evaluations=1).runs[0]
    finish(run, tmp_path / "run")
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    ganzoo.load(tmp_path / "run")
    assert torch.equal(torch.rand(1), expected)
