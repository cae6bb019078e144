"""Make a calibrated random Inception under the official file name in $TORCH_HOME, from the tests' own helper."""

import os
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from inception_weights import save_random_inception

if __name__ == "__main__":
    import torch

    noise = np.random.default_rng(0).integers(0, 256, (8, 3, 32, 32), dtype=np.uint8)
    save_random_inception(Path(os.environ["TORCH_HOME"]), torch.from_numpy(noise))
