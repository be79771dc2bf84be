"""What each corpus is, where its owners give it out, and where it belongs in the data folder."""

from __future__ import annotations

from dataclasses import dataclass

from emorec.corpora.registry import CORPORA, Corpus

RAVDESS_RECORD = 1188976
LANDMARKS_RECORD = 3255102

_ACTORS = range(1, 25)


@dataclass(frozen=True)
class Source:
    """How one corpus, or one part of it, comes to its place.

    Attributes:
        corpus: Its name in `emorec.corpora.registry.CORPORA`.
        key: What `emorec data` calls it.
        layout: Pattern, within its folder, of the files that belong to it.
        command: What fetches it, or tells how it is got.
        how: For a corpus that is not fetched: where it is got, in lines.
    """

    corpus: str
    key: str
    layout: str
    command: str
    how: tuple[str, ...] = ()

    @property
    def facts(self) -> Corpus:
        """The corpus as the tables know it."""
        return next(corpus for corpus in CORPORA if corpus.name == self.corpus)


SOURCES = (
    Source("RAVDESS sound", "ravdess", "Actor_*/03-01-*", "emorec data ravdess --part sound"),
    Source("RAVDESS video", "ravdess", "Actor_*/01-01-*.mp4", "emorec data ravdess --part video"),
    Source(
        "RAVDESS landmarks",
        "ravdess",
        "Actor_*_landmarks.csv*",
        "emorec data ravdess --part landmarks",
    ),
    Source(
        "JavaSED",
        "javased",
        "[0-9][0-9]-[0-9][0-9]-[0-9][0-9]_*.mp4",
        "emorec data javased",
        (
            "JavaSED lies in its authors' repository on GitHub (search there for JavaSED).",
            "They state no licence: ask them. No checksums are published.",
            "Put the clips straight into {folder}: {folder}/01-01-01_01.mp4 ...",
        ),
    ),
    Source(
        "CREMA-D",
        "crema-d",
        "AudioWAV/*_*_*_*.*",
        "emorec data crema-d",
        (
            "CREMA-D (ODbL 1.0) lies in a Git LFS repository, which checks its files itself:",
            "  git lfs install",
            "  git clone https://github.com/CheyneyComputerScience/CREMA-D",
            "Put its folder AudioWAV, and VideoDemographics.csv for the genders, into {folder}:",
            "{folder}/AudioWAV/1001_DFA_ANG_XX.wav ...",
        ),
    ),
    Source(
        "SAVEE",
        "savee",
        "*.*",
        "emorec data savee",
        (
            "SAVEE is given out for research by the University of Surrey, on registration:",
            "  http://kahlan.eps.surrey.ac.uk/savee/",
            "Put the sound files into {folder}: {folder}/DC_a01.wav ..., or the university's",
            "{folder}/AudioData/DC/a01.wav ...; both are read.",
        ),
    ),
    Source(
        "FER-2013",
        "fer2013",
        "fer2013.csv*",
        "emorec data fer2013",
        (
            "FER-2013 needs an account at Kaggle and consent to the challenge's rules:",
            "  https://www.kaggle.com/c/challenges-in-representation-learning-"
            "facial-expression-recognition-challenge",
            "Put fer2013.csv into {folder}. The votes of FER+ (MIT) belong beside it:",
            "  https://github.com/microsoft/FERPlus, file fer2013new.csv",
        ),
    ),
    Source(
        "CK+",
        "ck-plus",
        "CK+48/*/*.png",
        "emorec data ck-plus",
        (
            "CK+ is given out for research by the University of Pittsburgh, on a signed form:",
            "  https://www.jeffcohn.net/Resources/",
            "The 48x48 version holds the last three frames of each sequence, cut to the face.",
            "Put it into {folder}: {folder}/CK+48/<emotion>/S010_004_00000017.png ...",
        ),
    ),
)
"""All corpora, in the order in which they are reported."""

KEYS = tuple(dict.fromkeys(source.key for source in SOURCES))
PARTS = ("sound", "video", "landmarks")
"""Parts of RAVDESS that can be fetched alone."""


def archives(part: str, actors: tuple[int, ...] = tuple(_ACTORS)) -> list[tuple[int, str]]:
    """List the official archives of a part of RAVDESS: number of the record, name.

    Args:
        part: One of `PARTS`.
        actors: Whose clips are wanted; sound and landmarks come for all actors at once.

    Example:
        >>> archives("video", (5,))
        [(1188976, 'Video_Speech_Actor_05.zip')]
    """
    if part == "sound":
        return [(RAVDESS_RECORD, "Audio_Speech_Actors_01-24.zip")]
    if part == "landmarks":
        return [(LANDMARKS_RECORD, "FacialTracking_Actors_01-24.zip")]
    return [(RAVDESS_RECORD, f"Video_Speech_Actor_{actor:02d}.zip") for actor in actors]
