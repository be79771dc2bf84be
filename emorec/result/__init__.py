"""What is told of a clip or a picture, and how a notebook shows it."""
