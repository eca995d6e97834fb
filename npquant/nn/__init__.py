"""The float network by hand: forward and backward passes as adjacent pairs, losses, optimizers, training."""
