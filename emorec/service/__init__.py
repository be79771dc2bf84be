"""The service: clips go in over HTTP, what `emorec classify --json` writes comes out."""
