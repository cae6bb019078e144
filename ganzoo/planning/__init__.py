"""From names to checked runs. No torch."""
