"""Getting the corpora: downloads that are checked and resumed, and what is missing."""
