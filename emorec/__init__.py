"""Reads emotion from a speaking person's voice and face."""
