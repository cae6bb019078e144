"""The training loops of torchgan and mimicry around any networks, where they are installed.

Both are handed the tutorial loop's networks, DataLoader and Adam, and carry out their own step. What they print, draw
and save between steps is left out, which is in their favour, and all that their steps themselves do is left in.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from tutorial import Tutorial


class Labelled(torch.utils.data.Dataset):
    """The same images with a label beside each, which both loops expect."""

    def __init__(self, images: torch.utils.data.Dataset) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)  # pyright: ignore[reportArgumentType]

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.images[index], 0


def loader(like: Tutorial) -> DataLoader:
    """Return the tutorial's DataLoader, with labels."""
    return DataLoader(
        Labelled(like.loader.dataset), like.batch, shuffle=True, drop_last=True, num_workers=2, persistent_workers=True,
        pin_memory=like.device.type == "cuda",
    )  # fmt: skip


def adam(part: nn.Module) -> torch.optim.Optimizer:
    """Return Adam as the tutorial has it."""
    return torch.optim.Adam(part.parameters(), lr=2e-4, betas=(0.5, 0.999))


class TorchGAN:
    """torchgan 0.1.0 in training: what its `Trainer.train` does with a batch."""

    def __init__(self, like: Tutorial, loss: str) -> None:
        import torchgan.losses as theirs  # noqa: PLC0415
        from torchgan.models import Discriminator, Generator  # noqa: PLC0415
        from torchgan.trainer import Trainer  # noqa: PLC0415

        class Making(Generator):
            def __init__(self) -> None:
                super().__init__(like.latent)
                self.network = like.generator

            def forward(self, z: Tensor) -> Tensor:
                return self.network(z, None)

        class Judging(Discriminator):
            def __init__(self) -> None:
                super().__init__(3)
                self.body, self.head = like.body, like.head

            def forward(self, images: Tensor) -> Tensor:
                return self.head(self.body(images), None)

        class HingeOfGenerator(theirs.GeneratorLoss):  # which it does not have
            def forward(self, on_fake: Tensor) -> Tensor:
                return -on_fake.mean()

        class HingeOfDiscriminator(theirs.DiscriminatorLoss):
            def forward(self, on_real: Tensor, on_fake: Tensor) -> Tensor:
                return F.relu(1 - on_real).mean() + F.relu(1 + on_fake).mean()

        losses: dict[str, list[Any]] = {
            "bce": [theirs.MinimaxGeneratorLoss(), theirs.MinimaxDiscriminatorLoss()],
            "hinge": [HingeOfGenerator(), HingeOfDiscriminator()],
            "wgan-gp": [
                theirs.WassersteinGeneratorLoss(),
                theirs.WassersteinDiscriminatorLoss(),
                theirs.WassersteinGradientPenalty(),
            ],
        }
        self.n_critic = like.n_critic
        self.folder = tempfile.TemporaryDirectory()
        optimizer = {"name": torch.optim.Adam, "args": {"lr": 2e-4, "betas": (0.5, 0.999)}}
        models = {
            "generator": {"name": Making, "optimizer": optimizer},
            "discriminator": {"name": Judging, "optimizer": optimizer},
        }
        self.trainer = Trainer(
            models, losses[loss], device=like.device, ncritic=like.n_critic,
            checkpoints=f"{self.folder.name}/model", recon=self.folder.name,
        )  # fmt: skip
        self.trainer.batch_size = like.batch
        self.batches = endless(loader(like))

    def step(self) -> None:
        """Train n_critic discriminator steps and a generator step."""
        trainer = self.trainer
        for _ in range(self.n_critic):
            images, labels = next(self.batches)
            trainer.real_inputs, trainer.labels = images.to(trainer.device), labels.to(trainer.device)
            found = trainer.train_iter()
            names = ("generator_losses", "discriminator_losses", "generator_iters", "discriminator_iters")
            for name, value in zip(names, found, strict=True):
                trainer.loss_information[name] += value
            trainer.logger.run_mid_epoch(trainer)


def stand_in() -> None:
    """Give mimicry's metrics and datasets, which training does not use, two modules to import that are not there."""
    import torch.utils.tensorboard  # noqa: F401, PLC0415 - it looks for TensorFlow itself

    six: Any = ModuleType("torch._six")  # of PyTorch before 1.13
    six.PY3 = True
    sys.modules.setdefault("torch._six", six)
    sys.modules.setdefault("tensorflow", ModuleType("tensorflow"))


class Mimicry:
    """mimicry 0.1.16 in training: what its `Trainer.train` does in a step."""

    def __init__(self, like: Tutorial, loss: str) -> None:
        stand_in()
        from torch_mimicry.nets.gan import gan  # noqa: PLC0415
        from torch_mimicry.nets.wgan_gp import wgan_gp_base  # noqa: PLC0415
        from torch_mimicry.training import Trainer, metric_log  # noqa: PLC0415

        penalised = loss == "wgan-gp"
        generator: Any = wgan_gp_base.WGANGPBaseGenerator if penalised else gan.BaseGenerator
        discriminator: Any = wgan_gp_base.WGANGPBaseDiscriminator if penalised else gan.BaseDiscriminator
        name = {"bce": "ns", "hinge": "hinge", "wgan-gp": "wasserstein"}[loss]

        class Making(generator):
            def __init__(self) -> None:
                super().__init__(nz=like.latent, ngf=0, bottom_width=0, loss_type=name)
                self.network = like.generator

            def forward(self, z: Tensor) -> Tensor:
                return self.network(z, None)

        class Judging(discriminator):
            def __init__(self) -> None:
                super().__init__(ndf=0, loss_type=name)
                self.body, self.head = like.body, like.head

            def forward(self, images: Tensor) -> Tensor:
                return self.head(self.body(images), None)[:, None]  # (N,) -> (N, 1)

        made, judge, self.folder = Making(), Judging(), tempfile.TemporaryDirectory()
        self.trainer = Trainer(
            judge, made, adam(judge), adam(made), loader(like), 10**6, log_dir=self.folder.name,
            n_dis=like.n_critic, device=like.device,
        )  # fmt: skip
        self.log: Callable[[], Any] = metric_log.MetricLog
        self.batches = iter(self.trainer.dataloader)
        self.number = 0

    def step(self) -> None:
        """Train n_critic discriminator steps and a generator step."""
        one, log = self.trainer, self.log()
        common = {"global_step": self.number, "device": one.device, "scaler": None}
        for _ in range(one.n_dis):
            self.batches, real = one._fetch_data(self.batches)
            log = one.netD.train_step(real_batch=real, netG=one.netG, optD=one.optD, log_data=log, **common)
        log = one.netG.train_step(real_batch=real, netD=one.netD, optG=one.optG, log_data=log, **common)
        self.number += 1
        one.scheduler.step(log_data=log, global_step=self.number)


def endless(batches: DataLoader) -> Iterator[Any]:
    """Yield a DataLoader's batches, again and again."""
    while True:
        yield from batches


PEERS: dict[str, Callable[[Tutorial, str], Any]] = {"torchgan": TorchGAN, "mimicry": Mimicry}


def peers(make: Callable[[], Tutorial], loss: str) -> dict[str, Any]:
    """Return each peer in training, around what `make` makes anew for it; say which are missing, and why."""
    os.environ.setdefault("TENSORBOARD_LOGGING", "0")
    os.environ.setdefault("VISDOM_LOGGING", "0")
    found: dict[str, Any] = {}
    for name, build in PEERS.items():
        try:
            found[name] = build(make(), loss)
        except ImportError as error:
            print(f"{name} is left out: {error}. benchmarks/speed/README.md says how to install it.", file=sys.stderr)
    return found
