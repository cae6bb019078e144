"""Built-in feature networks for metrics."""
