"""Rivals of the method, one a file: options of a config that are off by default."""
