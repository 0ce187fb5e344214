"""Files and folders that others rely on: whole or not at all, locked, strict."""
