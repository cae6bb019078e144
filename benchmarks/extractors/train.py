"""Train the classifiers that ganzoo ships as feature networks.

    python benchmarks/extractors/train.py digits
    python benchmarks/extractors/train.py mnist --data-root ../shared/data
    python benchmarks/extractors/train.py cifar10 --data-root ../shared/data

Only the training split is trained on and calibrated on; the test split is measured after that. The weights go to
ganzoo/zoo/extractors/weights/, and the printed hash belongs in the classifier's design.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import time
from dataclasses import replace
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
from calibrate import cool, reliability, temperature
from data import Split
from tasks import TASKS, Task
from torch import Generator, Tensor
from torch.optim.lr_scheduler import OneCycleLR

from ganzoo.zoo.extractors import classifier
from ganzoo.zoo.extractors.classifier import Classifier

ROOT = Path(__file__).parents[2]


def correlation(features: Tensor) -> Tensor:
    """Return the mean square of the correlations between features that have mean 0 and variance 1.

    Without it the features of a classifier fall into a nine-dimensional space (Papyan, Han and Donoho, 2020) and a
    distance between them sees little but the class.
    """
    n, d = features.shape
    matrix = features.T @ features / n  # (D, D)
    return (matrix - torch.eye(d)).square().sum() / (d * (d - 1))


def train(task: Task, images: Split, rng: Generator) -> Classifier:
    """Return a classifier trained under a one-cycle learning rate."""
    network = task.design.build().to(memory_format=torch.channels_last)
    task.prepare(network, images.images)
    optimizer = task.optimizer(network)
    steps = len(images.labels) // task.batch_size
    peaks = [group["lr"] for group in optimizer.param_groups]
    low, high = task.momenta
    schedule = OneCycleLR(
        optimizer,
        peaks,
        total_steps=task.epochs * steps,
        pct_start=task.warmup,
        base_momentum=low,
        max_momentum=high,
    )
    for epoch in range(task.epochs):
        total = 0.0
        for batch in torch.randperm(len(images.labels), generator=rng).split(task.batch_size)[:steps]:
            with torch.autocast("cpu", torch.bfloat16, enabled=task.bfloat16):
                found = network(task.augment(images.images[batch], rng))
            error = F.cross_entropy(found.logits.float(), images.labels[batch], label_smoothing=task.smoothing)
            optimizer.zero_grad()
            (error + task.decorrelation * correlation(found.features.float())).backward()
            optimizer.step()
            schedule.step()
            total += error.item()
        print(f"epoch {epoch + 1}/{task.epochs}: cross-entropy {total / steps:.3f}", flush=True)
    return network.eval()


def train_and_calibrate(task: Task, images: Split, rng: Generator) -> tuple[Classifier, float]:
    """Return a trained classifier and its temperature, which is fitted on images that no weight has seen.

    One part of a small split holds too few errors to tell a temperature. There each part is held out in turn, and the
    temperature of all those predictions serves the one network that is trained on every image.
    """
    parts = torch.randperm(len(images.labels), generator=torch.Generator().manual_seed(0)).split(task.held_out)
    if not task.cross_fit:
        network = train(task, images[torch.cat(parts[1:])], rng)
        held = images[parts[0]]
        return network, temperature(predict(network, held), held.labels)
    network = train(task, images, rng)
    logits = []
    for i, part in enumerate(parts):
        print(f"part {i + 1} of {len(parts)} is held out", flush=True)
        rest = torch.cat([*parts[:i], *parts[i + 1 :]])
        logits.append(predict(train(task, images[rest], rng), images[part]))
    return network, temperature(torch.cat(logits), images.labels[torch.cat(parts)])


@torch.no_grad()
def predict(network: Classifier, images: Split) -> Tensor:
    """Return logits of shape (N, 10)."""
    return torch.cat([network(batch).logits for batch in images.images.split(500)])


@torch.no_grad()
def rank(network: Classifier, images: Split) -> float:
    """Return the effective rank of the features of 2,000 images: the exponential of their spectrum's entropy."""
    spectrum = torch.linalg.eigvalsh(network(images.images[:2000]).features.T.cov()).clamp(min=1e-12)
    share = spectrum / spectrum.sum()
    return math.exp(-(share * share.log()).sum())


def save(network: Classifier, path: Path, float16: bool) -> str:
    """Write the weights and return the file's sha256; what standardises features is never shortened to float16."""
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    if float16:
        state = {name: value.half() if value.ndim > 1 else value for name, value in state.items()}
    content = safetensors.torch.save(state)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def main() -> None:
    """Train one classifier, calibrate it, save it and print what the saved one can do."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--data-root", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the data")
    parser.add_argument("--out", type=Path, default=classifier.WEIGHTS, help="folder for the weights")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    task = TASKS[arguments.task]
    images, test = task.splits(arguments.data_root)
    clock = time.perf_counter(), time.process_time()
    network, t = train_and_calibrate(task, images, torch.Generator().manual_seed(arguments.seed))
    wall, cpu = time.perf_counter() - clock[0], time.process_time() - clock[1]
    print(f"trained in {wall:.0f} s, of which the processor worked {cpu:.0f} s; temperature {t:.3f}")
    print(f"{len(test.labels)} test images before: {reliability(predict(network, test), test.labels)}")
    cool(network.head, t)
    path = arguments.out / task.design.file
    digest = save(network, path, task.float16)
    network = classifier.load(replace(task.design, sha256=digest), path)
    print(f"{len(test.labels)} test images after: {reliability(predict(network, test), test.labels)}")
    print(f"effective rank of {network.head.in_features} features: {rank(network, test):.1f}")
    print(f"{path.name}: {path.stat().st_size} bytes, sha256 {digest}")


if __name__ == "__main__":
    main()
