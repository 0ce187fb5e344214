"""What `convert` is made of: networks of others, their names, shapes and files."""
