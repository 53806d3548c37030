"""Training: the distributed step, the loop over epochs, checkpoints, and the finished model."""
