"""The trainer. It knows hooks and no names."""
