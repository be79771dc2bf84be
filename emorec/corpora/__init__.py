"""Readers that turn each corpus into one tidy table; nothing else parses its file names."""
