"""What the built-in tricks declare, by what they act on. No torch."""
