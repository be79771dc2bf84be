"""The web page: clips, live view, about."""
