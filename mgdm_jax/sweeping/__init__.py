"""What `sweep` is made of: what is varied, how it is judged, the table of it."""
