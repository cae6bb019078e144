"""R3GAN for ganzoo: the networks, conditioning, penalty and schedules of the modern GAN baseline."""
