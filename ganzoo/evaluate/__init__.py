"""Scores and the protocol they were obtained under."""
