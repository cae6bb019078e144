"""An example plugin for ganzoo: the losses of f-GAN."""
