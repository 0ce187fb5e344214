"""What every command is made of: its start, its flags and help, what it tells."""
