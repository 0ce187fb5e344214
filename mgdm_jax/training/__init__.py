"""What `train` is made of: objectives, the step, checkpoints, the log."""
