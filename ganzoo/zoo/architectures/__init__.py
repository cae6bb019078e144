"""Built-in architectures, one a file."""
