"""`ganzoo new`: a whole plugin, written from templates, that works as it is. No torch."""
