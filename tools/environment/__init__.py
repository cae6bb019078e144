"""The virtual environment of a checkout: what it has to hold, how it gets there, and running a command in it."""
