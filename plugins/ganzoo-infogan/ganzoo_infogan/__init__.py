"""InfoGAN for ganzoo: latent codes that mean something, found without labels, on any architecture."""
