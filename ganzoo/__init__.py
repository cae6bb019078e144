"""A GAN zoo that anyone can plug into, and the benchmark that tells which combination works."""
