"""What the built-in components declare. No torch."""
