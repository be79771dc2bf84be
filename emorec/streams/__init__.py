"""Voice, face and geometry: each takes what is decoded and says what it finds."""
