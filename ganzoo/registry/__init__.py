"""Find, look up and check components. No torch."""
