"""Voices by hand-made features: forests, dense networks, CNNs and LSTMs."""
