"""One seed a run, and from it one for each purpose, so that no two streams of randomness are the same."""

import hashlib

import torch


def derive(seed: int, purpose: str) -> int:
    """Return a 63-bit seed that is a function of the run's seed and the purpose."""
    digest = hashlib.sha256(f"{seed} {purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a fresh random generator on a device, seeded for the purpose."""
    return torch.Generator(device).manual_seed(derive(seed, purpose))
