"""Reverse processes: one loop, one file a method."""
