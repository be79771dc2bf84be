"""Studies of finished predictions: for whom a model works, and what bad recordings cost."""
