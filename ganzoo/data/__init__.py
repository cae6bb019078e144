"""A dataset becomes uint8 pixels on the training device."""
