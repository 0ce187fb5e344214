"""What `reconstruct` is made of: the files that it writes, and its report."""
