"""The networks: voice, face and geometry, each a `build_...` function in plain Keras 3."""
