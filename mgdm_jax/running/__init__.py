"""What `run` is made of: batches of a size that fits, kept, resumed and shared."""
