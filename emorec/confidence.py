"""What a verdict's confidence is worth, in words.

The limits are set by corpora that were left out of all training. Of verdicts that were said with
85 % or more four in five were right, from 50 % on three in five, below two in five; what
exactly each word was worth stands in `Models/fusion/confidence.json`, which
`emorec.evaluation.left_out` computes, and the page's About tab tells it.
"""

__all__ = ["PROBABLY", "VERY_LIKELY", "WORDS", "word_for"]

VERY_LIKELY = 0.85
"""Smallest confidence that is called "very likely"."""

PROBABLY = 0.5
"""Smallest confidence that is called "probably"; below, the verdict is "unsure"."""

WORDS = {"very likely": VERY_LIKELY, "probably": PROBABLY, "unsure": 0.0}
"""Word -> smallest confidence, the surest first."""


def word_for(confidence: float) -> str:
    """Return the word for a confidence, 0 to 1, which counts in whole percent as it is shown.

    Example:
        >>> word_for(0.93), word_for(0.498), word_for(0.31)
        ('very likely', 'probably', 'unsure')
    """
    return next(word for word, least in WORDS.items() if round(confidence, 2) >= least)
