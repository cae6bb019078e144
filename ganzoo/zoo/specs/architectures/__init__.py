"""What the built-in architectures declare, by family. No torch."""
