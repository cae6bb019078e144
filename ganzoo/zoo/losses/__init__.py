"""Built-in losses, one a file."""
