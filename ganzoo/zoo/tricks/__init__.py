"""Built-in tricks, one a file."""
