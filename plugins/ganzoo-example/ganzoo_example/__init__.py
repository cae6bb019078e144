"""Three small examples for ganzoo, to be read and copied: an architecture, a loss and a trick."""
