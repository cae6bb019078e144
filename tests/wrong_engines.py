# ruff: noqa: E501 - a plugin reads best as one entry
"""Engines that are each wrong in one way, and what `ganzoo check` must say of each."""

from __future__ import annotations

from wrong_plugins import Wrong

START = "class Wrong(Good):\n    def start(self, job):\n        "
PROCESS = (
    "class Wrong(Good):\n    def start(self, job): return Process(super().start(job))\nclass Process(Around):\n    "
)

ENGINES = {
    "torch in the engine": Wrong("engine", "light-target", "importing wrong_target imports torch", "import torch\nclass Wrong(Good): pass"),
    "an engine that is none": Wrong("engine", "contract", "which is no ganzoo.api.Engine", "class Wrong:\n    def __init__(self, params): pass"),
    "a start without a job": Wrong("engine", "hooks", "start: too many positional arguments", "class Wrong(Good):\n    def start(self): pass"),
    "an option that there is not": Wrong(
        "engine", "known-traits", 'the trait "device:gpu", which nothing provides; did you mean "device:cpu"?',
        more=', conflicts={"device:gpu": "it has none"}',
    ),
    "no room": Wrong("engine", "capacity", "each is a whole number, at least 1", "class Wrong(Good):\n    def capacity(self, device, asked): return Capacity(jobs=0)"),
    "more than was asked for": Wrong(
        "engine", "capacity", "capacity('auto', 1) gives 2 x 1 runs at a time",
        "class Wrong(Good):\n    def capacity(self, device, asked): return Capacity(jobs=2)",
    ),
    "a job that is forgotten": Wrong(
        "engine", "carries-out", "is said to have ended with 0, and was not carried out to its end",
        START + 'return Around(Popen("true"))',
    ),
    "a job that is let go": Wrong(
        "engine", "carries-out", "is said to have ended with 0, and was not carried out to its end",
        PROCESS + "def poll(self): return 0",
    ),
    "a job that is carried out twice": Wrong(
        "engine", "carries-out", "was carried out 2 times",
        START + 'subprocess.run(["sh", "-c", job.shell])\n        return super().start(job)',
    ),
    "an engine that raises": Wrong(
        "engine", "carries-out", "engine wrong: start raised OSError: no queue", START + 'raise OSError("no queue")'
    ),
    "an engine that loses its jobs": Wrong(
        "engine", "carries-out", "engine wrong: poll raised AttributeError: 'NoneType' object has no attribute 'poll'",
        START + "super().start(job).wait()",
    ),
    "a poll that gives a word": Wrong(
        "engine", "carries-out", "engine wrong: poll gave 'done', neither None nor an exit code",
        PROCESS + 'def poll(self): return None if self.process.poll() is None else "done"',
    ),
    "another folder": Wrong(
        "engine", "carries-out", "was carried out in /, not in its folder",
        START + 'with open(job.output, "ab") as output:\n            return Popen(job.command, cwd="/", env=job.environment, stdout=output)',
    ),
    "the engine's own environment": Wrong(
        "engine", "carries-out", "had the variable GANZOO_TRIAL='', not its environment's",
        START + 'with open(job.output, "ab") as output:\n            return Popen(job.command, cwd=job.folder, stdout=output)',
    ),
    "output that is lost": Wrong(
        "engine", "carries-out", "its output file holds []",
        START + "return Popen(job.command, cwd=job.folder, env=job.environment, stdout=subprocess.DEVNULL)",
    ),
    "a failure that is swallowed": Wrong(
        "engine", "tells-failures", "ended with 7, and the engine says 0",
        PROCESS + "def poll(self): return None if self.process.poll() is None else 0",
    ),
    "a kill where a word was enough": Wrong(
        "engine", "stops", "was ended before it could write its checkpoint", PROCESS + "def terminate(self): self.kill()"
    ),
    "a job that goes on behind the stop": Wrong(
        "engine", "stops", "is still at work after it was stopped",
        PROCESS + "asked = False\n    def terminate(self): self.asked = True\n    def poll(self): return -15 if self.asked else self.process.poll()",
    ),
    "a job that cannot be killed": Wrong(
        "engine", "kills", "which ignores SIGTERM, is still at work after it was killed", PROCESS + "def kill(self): pass"
    ),
    "no memory for PyTorch": Wrong(
        "engine", "grid", "a grid of two runs ended with GanzooError: preparing the data ",
        START + 'return Popen(["sh", "-c", "ulimit -v 300000; " + job.shell], start_new_session=True)',
    ),
}  # fmt: skip
ENDLESS = Wrong("engine", "carries-out", "", PROCESS + "def poll(self): return None")
