"""A clip, decoded once: sound, grey frames, timestamps; and how one is written."""
