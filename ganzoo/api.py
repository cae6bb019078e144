"""All that a plugin author imports: how a component is described, and the contracts it fulfils.

Nothing here imports torch, so that describing, listing and planning stay instant. A component is a `Spec`, which an
entry point names, and a target, which the spec names and which is imported only when something is built:

    group                    spec          target
    ganzoo.architectures     Spec          a function (params, setting) -> Networks
    ganzoo.losses            Spec          a class derived from Loss
    ganzoo.tricks            Spec          a class derived from Trick
    ganzoo.datasets          DatasetSpec   a function (params, root, split) -> Images
    ganzoo.extractors        Spec          a function (params) -> Extractor
    ganzoo.engines           Spec          a class derived from Engine
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from torch import Generator, Tensor, nn

API_VERSION = 1
"""The version of everything in this module. It grows when something is added that a plugin may use."""
OLDEST_API = 1
"""The oldest version whose plugins still work. A spec for an older or a newer one is listed as such and never built."""

Kind = Literal["architecture", "loss", "trick", "dataset", "extractor", "engine"]
"""What a component is; each kind has an entry-point group of its own."""
Device = Literal["auto", "cpu", "cuda"]
"""What runs compute on."""
Player = Literal["discriminator", "generator"]
"""Who takes a step."""
Split = Literal["train", "test"]
"""A part of a dataset: what is trained on, and what is held out."""

# Describing a component ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Paper:
    """Where a component was published: `Paper("Wasserstein GAN", 2017, "arXiv:1701.07875")`."""

    title: str
    """As printed."""
    year: int
    """Of the publication that the identifier names."""
    id: str = ""
    """`arXiv:...`, `doi:...`, or an address."""

    def __str__(self) -> str:
        """Return one line: title, year and identifier."""
        return f"{self.title} ({self.year}{', ' + self.id if self.id else ''})"


@dataclass(frozen=True)
class NoParams:
    """The parameters of a component that has none."""


def param(
    default: Any = dataclasses.MISSING,
    help: str = "",
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    unit: str = "",
    trait: str = "",
) -> Any:
    """Declare one field of a params dataclass: its default, what it means and what it may be.

    `low` and `high` are inclusive bounds of a number, `choices` the values of a string. A field with a `trait` is one
    that the plan may settle: each choice provides the trait `<trait>:<choice>`, and where the user names none the plan
    takes the first choice whose trait no other component excludes. Without a default the user must give a value.
    """
    metadata = {"help": help, "low": low, "high": high, "choices": choices, "unit": unit, "trait": trait}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The training settings that a component has an opinion on; None means no opinion.

    Recipes are folded: ganzoo's base < dataset < architecture < loss < tricks < what the user's own parameters of a
    component decide < suite file < command line.
    """

    steps: int | None = field(default=None, metadata={"help": "generator steps", "low": 1})
    batch_size: int | None = field(default=None, metadata={"help": "images in a step of either player", "low": 1})
    n_critic: int | None = field(default=None, metadata={"help": "discriminator steps per generator step", "low": 1})
    optimizer: str | None = field(
        default=None, metadata={"help": "optimiser of both players", "choices": ("adam", "rmsprop", "sgd")}
    )
    generator_lr: float | None = field(default=None, metadata={"help": "learning rate of the generator", "low": 0})
    discriminator_lr: float | None = field(
        default=None, metadata={"help": "learning rate of the discriminator", "low": 0}
    )
    beta1: float | None = field(default=None, metadata={"help": "Adam's first moment decay", "low": 0, "high": 1})
    beta2: float | None = field(default=None, metadata={"help": "Adam's second moment decay", "low": 0, "high": 1})
    lr_schedule: str | None = field(
        default=None,
        metadata={"help": "constant, or linear decay to 0 at the last step", "choices": ("constant", "linear")},
    )
    ema_half_life: float | None = field(
        default=None,
        metadata={"help": "half-life of the generator's weight average, in real images seen; 0: none", "low": 0},
    )
    reuse_fakes: bool | None = field(
        default=None,
        metadata={"help": "train the generator on the images of the last discriminator step, not on new ones"},
    )
    joint_pass: bool | None = field(
        default=None,
        metadata={"help": "judge real and generated images in one pass, in which batch norms keep them apart"},
    )


@dataclass(frozen=True)
class Setting:
    """What the plan decided and every component of a run shares."""

    shape: tuple[int, int, int]
    """Channels, height and width of an image."""
    classes: int = 0
    """Number of classes that the generator is conditioned on; 0 when it is unconditional."""
    packing: int = 1
    """Images that the discriminator judges together, stacked as channels."""


P = TypeVar("P")
"""The params dataclass of a loss or trick."""
Reasons = Mapping[str, str]
"""Trait -> the reason shown to the user."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """Everything that is known about a component without building it.

    `recipe`, `provides`, `requires` and `conflicts` may be functions of the parameters. `setting(params, setting)`
    changes what all components of a run are built for; `refuse(params, setting)` returns the reason why this one cannot
    work in a setting, or None. One that provides the trait `class-conditional` gives the generator the data's classes.
    """

    kind: Kind
    """What it is; the entry point's group must say the same."""
    target: str
    """`module:attribute` of what builds the component; imported only then."""
    summary: str
    """One line of at most 120 characters: its row in `ganzoo list`."""
    paper: Paper | None = None
    """Where it was published."""
    params: type[Any] = NoParams
    """A frozen dataclass whose fields are declared with `param`: what the command line and suite files may set."""
    recipe: Recipe | Callable[[Any], Recipe] = Recipe()
    """The training settings that it has an opinion on."""
    provides: Collection[str] | Callable[[Any], Collection[str]] = ()
    """Traits that it has, for others to require or exclude."""
    requires: Reasons | Callable[[Any], Reasons] = field(default_factory=dict[str, str])
    """Traits that another component, or the data, must have."""
    conflicts: Reasons | Callable[[Any], Reasons] = field(default_factory=dict[str, str])
    """Traits that no other component may have."""
    setting: Callable[[Any, Setting], Setting] | None = None
    """(params, setting) -> what all components of the run are built for."""
    refuse: Callable[[Any, Setting], str | None] | None = None
    """(params, setting) -> why it cannot work there, or None where it can."""
    formerly: Collection[str] = ()
    """Former names of the component. They still work, with a warning that gives the new name."""
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    """Former names of parameters: old name -> new name. They still work, with a warning."""
    api: int = API_VERSION
    """The version it was written for; write the number, so that an older ganzoo can tell that it is too old."""


@dataclass(frozen=True)
class DataInfo:
    """What is known of a dataset without reading its pixels."""

    shape: tuple[int, int, int]
    """Channels, height and width."""
    train: int
    """Images in the training split."""
    test: int
    """Images in the test split; 0 when there is none."""
    classes: int
    """Number of classes; 0 when the images have no labels."""
    dtype: Literal["uint8", "float32"] = "uint8"
    """float32 if the samples are points in [-1, 1] instead of pixels: they are neither rounded nor drawn as images."""


@dataclass(frozen=True, kw_only=True)
class DatasetSpec(Spec):
    """A dataset: a spec that can also tell its shape before a pixel is read."""

    kind: Kind = "dataset"
    """Always that."""
    describe: Callable[[Any, Path], DataInfo]
    """(params, data root) -> its shape and size. No torch; raises DataError where it cannot tell."""
    extractor: str | Callable[[Any], str]
    """The feature network whose scores make sense for these images, as `name:key=value`; may depend on the params."""
    metrics: tuple[str, ...] = ("fid", "is")
    """The metrics that make sense for them, the most telling first: it orders the table."""
    samples: int | None = None
    """Generated images a score; None: as many as there are held-out real ones, at most 10,000."""


# Building a component -----------------------------------------------------------------------------------------------


class Images(NamedTuple):
    """One split of a dataset, as it is stored."""

    pixels: np.ndarray
    """uint8 of shape (N, C, H, W); float32 in [-1, 1] where the DataInfo says so."""
    labels: np.ndarray | None
    """int64 of shape (N,), or None."""


@dataclass
class Networks:
    """What an architecture builds. Generator and discriminator train on images in [-1, 1].

    The discriminator comes in two parts, so that tricks can reach its features: feature matching, minibatch
    discrimination, an auxiliary classifier and projection all attach to the seam between them. The classes condition
    the generator alone; a trick decides how the discriminator uses them.
    """

    generator: nn.Module
    """(z of shape (N, latent), y of shape (N,) or None) -> images of shape (N, C, H, W), on the scale of [-1, 1].

    What lies outside is clipped when images are scored or saved, and only then.
    """
    body: nn.Module
    """images of shape (N, C * packing, H, W) -> features of shape (N, features)."""
    head: nn.Module
    """(features of shape (N, features), y of shape (N,) or None) -> logits of shape (N,)."""
    latent: int
    """Length of z."""
    features: int
    """Length of a feature vector."""


class Verdict(NamedTuple):
    """The discriminator's output for one batch, from one pass. Images that are packed together share one answer."""

    logits: Tensor
    """(N / packing,), before any sigmoid."""
    features: Tensor
    """(N / packing, features)."""


class Targets(NamedTuple):
    """What the discriminator is trained to answer, as probabilities of shape (N / packing,)."""

    real: Tensor
    """Of real images: 1 unless a trick changes it."""
    fake: Tensor
    """Of generated images: 0 unless a trick changes it."""


class Step(Protocol):
    """Everything that a loss or trick may see of one player's step. Do not use it after the hook has returned."""

    @property
    def player(self) -> Player:
        """Whose step it is."""
        ...

    @property
    def number(self) -> int:
        """The number of the generator step, from 0. A captured step cannot read it: decide in `schedule` instead."""
        ...

    @property
    def real(self) -> Tensor:
        """A batch of real images, (N, C, H, W) in [-1, 1]."""
        ...

    @property
    def fake(self) -> Tensor:
        """A batch of generated images, (N, C, H, W) in [-1, 1]; detached in the discriminator's step."""
        ...

    @property
    def latent(self) -> Tensor:
        """The latents that the fake batch was generated from, (N, latent)."""
        ...

    @property
    def labels(self) -> Tensor | None:
        """(N,) int64 or None: the classes of the real batch, and of the fake one where networks are conditional."""
        ...

    @property
    def targets(self) -> Targets:
        """1 for real and 0 for fake, as the tricks have changed them; in the generator's step, unchanged."""
        ...

    @property
    def rng(self) -> Generator:
        """The only source of randomness on the training device."""
        ...

    def judge(self, images: Tensor) -> Verdict:
        """Return the discriminator's output for images, after every augmentation.

        A batch goes through the discriminator once a step: judging the same tensor again returns the same verdict.
        If the networks are conditional, image i is judged as one of class `labels[i]`: always judge a whole batch.
        """
        ...


Terms = dict[str, "Tensor"]
"""Named scalars, summed into one objective and logged one by one."""


class Rates(NamedTuple):
    """The values of a recipe that may change from step to step."""

    generator_lr: float
    """Learning rate of the generator."""
    discriminator_lr: float
    """Learning rate of the discriminator."""
    beta1: float
    """Adam's first moment decay, of both players."""
    beta2: float
    """Adam's second moment decay, of both players."""
    ema_half_life: float
    """Half-life of the generator's weight average, in real images seen."""


class Progress(NamedTuple):
    """How far a run has come."""

    step: int
    """The generator step that comes next, from 0."""
    steps: int
    """Generator steps of the whole run."""
    images: int
    """Real images that the discriminator has been trained on."""


class Opponent(Protocol):
    """The discriminator that the generator plays against, at weights that a trick may move."""

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """Its weights by name; gradients can be taken with respect to them."""
        ...

    def objective(self) -> Tensor:
        """Return what it would minimise on this step's batches, at these weights; gradients reach the generator.

        Terms of tricks on the weights themselves, such as weight decay, stay at the weights that the step began with.
        """
        ...

    def moved(self, weights: Mapping[str, Tensor]) -> Opponent:
        """Return the same discriminator at other weights."""
        ...


class Loss(Generic[P]):
    """The game that the two players play. Derive from it and return each player's terms, to be minimised."""

    differentiates: Collection[Literal["real", "fake"]] = ()
    """Batches that `discriminator(step)` takes gradients with respect to, so that the shared pass can serve it."""

    def __init__(self, params: P) -> None:
        """Keep the parameters; a loss holds no state."""
        self.params = params

    def discriminator(self, step: Step) -> Terms:
        """Return the named scalars that the discriminator minimises."""
        raise NotImplementedError(f"{type(self).__name__} must define discriminator(step)")

    def generator(self, step: Step) -> Terms:
        """Return the named scalars that the generator minimises."""
        raise NotImplementedError(f"{type(self).__name__} must define generator(step)")

    def after_step(self, player: Player, networks: Networks, number: int) -> None:
        """Act after one player's update within generator step `number`, as weight clipping does."""


class Trick(Generic[P]):
    """A change to training. Every hook does nothing until it is overridden; state lives in tensors."""

    differentiates: Collection[Literal["real", "fake"]] = ()
    """Batches that `discriminator(step)` takes gradients with respect to, so that the shared pass can serve it."""
    replaces: Collection[Player] = ()
    """Players whose loss this trick's own terms stand in for."""

    def __init__(self, params: P) -> None:
        """Keep the parameters."""
        self.params = params

    def wrap(self, networks: Networks, setting: Setting) -> Networks:
        """Change or replace what the architecture built."""
        return networks

    def modules(self, networks: Networks, setting: Setting) -> Mapping[Player, nn.Module]:
        """Return extra trainable parts, each by the player whose optimiser trains it; asked after every `wrap`."""
        return {}

    def schedule(self, rates: Rates, progress: Progress) -> Rates:
        """Change learning rates, betas or the average's half-life for the step that comes next."""
        return rates

    def latent(self, z: Tensor, rng: Generator) -> Tensor:
        """Change a batch of latents of shape (N, latent), standard normal unless an earlier trick changed it."""
        return z

    def real(self, images: Tensor, rng: Generator) -> Tensor:
        """Change a batch of real images, (N, C, H, W) in [-1, 1], before anything else sees it."""
        return images

    def augment(self, images: Tensor, rng: Generator) -> Tensor:
        """Change what the discriminator sees, real and fake alike; must be differentiable."""
        return images

    def opponent(self, opponent: Opponent, step: Step) -> Opponent:
        """Change the discriminator that the generator's step is played against, for that step alone."""
        return opponent

    def verdict(self, verdict: Verdict, images: Tensor, step: Step) -> Verdict:
        """Change the discriminator's output for a batch; must not call `step.judge` on the step's own images."""
        return verdict

    def targets(self, targets: Targets, step: Step) -> Targets:
        """Change what the discriminator is trained to answer."""
        return targets

    def discriminator(self, step: Step) -> Terms:
        """Return named scalars to add to the discriminator's objective."""
        return {}

    def generator(self, step: Step) -> Terms:
        """Return named scalars to add to the generator's objective."""
        return {}

    def after_step(self, player: Player, networks: Networks, number: int) -> None:
        """Act after one player's update within generator step `number`, e.g. clip or average weights."""

    def sampler(self, generator: nn.Module) -> nn.Module:
        """Return the generator to draw samples from, e.g. one with averaged weights."""
        return generator

    def state_dict(self) -> dict[str, Any]:
        """Return all state that a resumed run needs: tensors, numbers and strings, nested in dicts and lists."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""


class Extracted(NamedTuple):
    """A feature network's output for one batch."""

    features: Tensor
    """(N, D) float32: the activations that distances are measured between."""
    logits: Tensor | None = None
    """(N, K) float32: class logits for the classifier score and for modes; None from a network without classes."""
    good: Tensor | None = None
    """(N,) bool: whether a sample is of high quality, where that has a definition; only good ones count as modes."""


class Extractor(Protocol):
    """A fixed feature network for metrics.

    Its spec provides the trait `classes` where it gives logits, `quality` where it tells good samples, and `points`
    where it looks at float32 points instead of images.
    """

    sha256: str
    """Hash of the weights, so that a score can name the very network it comes from."""
    resize: str
    """How images of another size reach the network's, for the protocol: e.g. `bilinear to 299x299`."""

    def to(self, device: Any) -> Extractor:
        """Move to a device and return self."""
        ...

    def __call__(self, images: Tensor) -> Extracted:
        """Map images of shape (N, C, H, W), of the dataset's dtype, to features and what else it gives."""
        ...


# Carrying runs out ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """One process that an engine is to place: pure data, which means the same wherever it is carried out.

    It reads and writes nothing but files: the place where it runs needs the same Python environment and the same
    folders, and only those files and an exit code come back. Its progress and the end of its runs are written there,
    too. At SIGTERM, or when the process that started it is gone, it writes its checkpoints and ends.
    """

    name: str
    """No other job of the grid has it: letters, digits, dots and hyphens, e.g. `mlp-bce-1a2b3c4d.seed-0`."""
    command: tuple[str, ...]
    """The program and its arguments."""
    folder: str
    """The working directory: an absolute path."""
    environment: Mapping[str, str]
    """Environment variables that it needs in addition to those of a login."""
    output: str
    """The file that what it prints is appended to, standard output and standard error alike: an absolute path."""
    device: Device
    """What it computes on; `auto` in the job that prepares a grid's data and finds out."""
    threads: int
    """The processor cores that it keeps busy."""

    @property
    def shell(self) -> str:
        """The same as one line for a POSIX shell, here or elsewhere, which becomes the job's process."""
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        words = shlex.join(["env", *variables, *self.command])
        return f"cd {shlex.quote(self.folder)} && exec {words} >> {shlex.quote(self.output)} 2>&1 < /dev/null"


class Process(Protocol):
    """A job that was started; a `subprocess.Popen` is one already."""

    def poll(self) -> int | None:
        """Return None while it waits or works, then its exit code: 0 for success, -N if signal N ended it."""
        ...

    def terminate(self) -> None:
        """Ask it to end soon: a job at work is sent SIGTERM, and one that waits never starts. Does not wait."""
        ...

    def kill(self) -> None:
        """End it at once. Does not wait."""
        ...


class Capacity(NamedTuple):
    """How much an engine carries out at a time."""

    jobs: int = 1
    """Jobs at a time."""
    runs: int = 1
    """Runs that share a job's process, as several do on one GPU."""
    threads: int = 1
    """Processor cores for each job."""


class Engine(Generic[P]):
    """Where runs are carried out. Derive from it and say how one job is started; ganzoo does the rest.

    ganzoo decides which job comes next, polls the running ones, tells the user, stops them all on Ctrl-C, and reads the
    outcome of each run from the results folder. If a method raises, the runs of its job fail, and no others. An
    engine imports no torch; its spec may exclude options as traits, e.g. `conflicts={"device:cuda": "it has no GPU"}`.
    """

    seconds: float = 0.1
    """Seconds between two polls of the running jobs; more if a poll is a command or uses a network."""

    def __init__(self, params: P) -> None:
        """Keep the parameters."""
        self.params = params

    def capacity(self, device: Device, asked: int | None) -> Capacity:
        """Return how much is carried out at a time.

        Args:
            device: what the runs compute on.
            asked: how many runs at a time the user wants, which is the most there may be; None: as many as there is
                room for.
        """
        return Capacity(jobs=asked or 1)

    def start(self, job: Job) -> Process:
        """Start a job, or queue it, without waiting for it. Called once for each job."""
        raise NotImplementedError(f"{type(self).__name__} must define start(job)")
