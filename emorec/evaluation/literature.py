"""Accuracies that others report on the corpora used here, with their sources.

They stand beside the project's own in tables and plots. Splits and classes differ where
`protocol` says so: a figure beside another is no contest, only an orientation.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reported:
    """One reported accuracy.

    Attributes:
        who: Short name of the raters or the system.
        corpus: As the protocols of `metrics.json` name it.
        stream: "voice", "face", "geometry" or "fusion".
        percent: Accuracy.
        protocol: Classes and speakers, where they differ from ours; may be empty.
        source: Publication or repository.
    """

    who: str
    corpus: str
    stream: str
    percent: float
    protocol: str
    source: str

    def in_words(self) -> str:
        """Return the figure as a table's cell tells it.

        Example:
            >>> Reported("humans", "RAVDESS", "voice", 62.4, "", "x").in_words()
            'humans 62.4'
        """
        return f"{self.who} {self.percent:g}" + (f" ({self.protocol})" if self.protocol else "")


_RATERS = "Livingstone & Russo 2018, PLoS ONE 13(5)"
REFERENCE_PROJECT = "reference project"
_REFERENCE_SOURCE = "gianscuri/Emotion-Recognition_SER-FER_RAVDESS"
_REFERENCE_PROTOCOL = "7 classes, 4 actors"

REPORTED = (
    Reported("humans", "RAVDESS", "voice", 62.4, "", _RATERS),
    Reported("humans", "RAVDESS", "face", 75, "", _RATERS),
    Reported("humans", "RAVDESS", "geometry", 75, "whole picture", _RATERS),
    Reported("humans", "RAVDESS", "fusion", 80, "", _RATERS),
    Reported(REFERENCE_PROJECT, "RAVDESS", "voice", 59, _REFERENCE_PROTOCOL, _REFERENCE_SOURCE),
    Reported(REFERENCE_PROJECT, "RAVDESS", "face", 64.3, _REFERENCE_PROTOCOL, _REFERENCE_SOURCE),
    Reported(REFERENCE_PROJECT, "RAVDESS", "fusion", 76.3, _REFERENCE_PROTOCOL, _REFERENCE_SOURCE),
    Reported("humans", "CREMA-D", "voice", 40.9, "", "Cao et al. 2014"),
    Reported("humans", "FER-2013", "face", 65, "± 5", "Goodfellow et al. 2013"),
    Reported("package `fer`", "FER-2013", "face", 65.8, "private test", "PyPI: fer"),
    Reported("VGG13", "FER+", "face", 85.0, "", "Barsoum et al. 2016"),
    Reported("package `fer`", "JavaSED", "face", 46.7, "120 clips", "PyPI: fer"),
)


REFERENCE_CONFUSION = (
    (26, 0, 5, 1, 0, 0, 0),
    (0, 30, 0, 1, 0, 0, 1),
    (1, 0, 31, 0, 0, 0, 0),
    (2, 0, 5, 22, 1, 1, 1),
    (1, 3, 0, 0, 21, 0, 7),
    (3, 9, 4, 4, 0, 12, 0),
    (1, 0, 0, 1, 1, 0, 29),
)
"""The reference project's fused confusion on actors 21-24, in `emotions.RAVDESS7`; rows: truth."""


def reported_for(protocol: str, stream: str) -> list[Reported]:
    """Return what others report on the corpus that a protocol names, for one stream.

    Args:
        protocol: Of a `metrics.json`. The corpus is the one it names first.
        stream: "voice", "face", "geometry" or "fusion".

    Example:
        >>> [p.in_words() for p in reported_for("RAVDESS speech, 8 classes", "fusion")]
        ['humans 80', 'reference project 76.3 (7 classes, 4 actors)']
    """
    corpora = {figure.corpus for figure in REPORTED if figure.corpus in protocol}
    if not corpora:
        return []
    corpus = min(corpora, key=protocol.index)
    return [f for f in REPORTED if f.corpus == corpus and f.stream == stream]
