"""How fast and how large: the recogniser, the annotated video, the live engine."""
