"""An example plugin for ganzoo: the least squares loss of LSGAN."""
