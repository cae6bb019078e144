"""A GAN zoo that anyone can plug into, and the benchmark that tells which combination works.

The same things as on the command line, for Python:

    ganzoo.list_components("losses")
    ganzoo.plan(model="dcgan", loss=["bce", "wgan-gp"], seeds=2)
    table = ganzoo.bench(model="dcgan", loss="wgan-gp", recipe={"steps": 500})
    images = ganzoo.load("runs/.../seed-0").sample(16)
"""

from ganzoo.interface import __version__, bench, list_components, load, plan, report, score

__all__ = ["__version__", "bench", "list_components", "load", "plan", "report", "score"]
