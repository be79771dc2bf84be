"""FER-2013 (Goodfellow et al. 2013) with the ten raters of FER+ (Barsoum et al. 2016)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emorec.corpora.corpus import Companion, Corpus
from emorec.emotions import COMMON7, FERPLUS8
from emorec.errors import CorpusMissingError
from emorec.files import fingerprint, kept_or_made
from emorec.paths import REPOSITORY, data_folder

if TYPE_CHECKING:
    import pandas as pd

SIZE_PX = 48
_KEPT_IN = REPOSITORY / "Datasets"

# Code -> class, as the Kaggle file numbers them.
_FER_CODES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

# Column of fer2013new.csv -> class.
_VOTE_COLUMNS = {
    "anger": "angry",
    "contempt": "contempt",
    "disgust": "disgust",
    "fear": "fear",
    "happiness": "happy",
    "neutral": "neutral",
    "sadness": "sad",
    "surprise": "surprise",
}
_NOT_AN_EMOTION = ["unknown", "NF"]


def load_fer2013(folder: Path | None = None) -> tuple[pd.DataFrame, np.ndarray]:
    """Read the corpus.

    Args:
        folder: Where `fer2013.csv` (or `.csv.xz`) and `fer2013new.csv` lie; by default
            `FER2013` in the data folder.

    Returns:
        A table with one row per picture (`clip_id`, `usage`, `label` over COMMON7, one
        column `votes_<class>` per class of FERPLUS8 with the raw number of votes,
        `ferplus_label`: the class with more than half of the votes or None), and the
        pictures, uint8, shape (n, 48, 48), in the same order.

    Raises:
        CorpusMissingError: If a file is absent.
        ValueError: If the two files do not belong together or a label is unknown.
    """
    import pandas as pd

    folder = Path(folder or data_folder() / "FER2013")
    pixel_file = next(
        (folder / name for name in ("fer2013.csv", "fer2013.csv.xz") if (folder / name).exists()),
        None,
    )
    vote_file = folder / "fer2013new.csv"
    if pixel_file is None or not vote_file.exists():
        raise CorpusMissingError("FER-2013 with FER+", folder)
    raw = _unpacked(pixel_file)
    codes, pixels = raw["codes"], raw["pixels"]
    if not np.isin(codes, range(len(_FER_CODES))).all():
        raise ValueError(f"{pixel_file}: an emotion code outside 0-6; is it the Kaggle file?")

    usage = raw["usage"].astype(object)
    table = pd.DataFrame({"usage": usage, "label": [_FER_CODES[i] for i in codes]})
    row_in_usage = table.groupby("usage").cumcount()
    table.insert(0, "clip_id", table["usage"] + "_" + row_in_usage.astype(str).str.zfill(5))
    votes = pd.read_csv(vote_file)
    votes["row_in_usage"] = votes.groupby("Usage").cumcount()
    votes = votes.set_index(["Usage", "row_in_usage"])
    joined = votes.reindex(pd.MultiIndex.from_arrays([table["usage"], row_in_usage]))
    if joined["neutral"].isna().any():
        raise ValueError(f"{vote_file} has fewer rows than {pixel_file}; are both complete?")
    for column, name in _VOTE_COLUMNS.items():
        table[f"votes_{name}"] = joined[column].to_numpy(int)
    table["ferplus_label"] = _majority(joined)
    return table, pixels


def _unpacked(pixel_file: Path) -> dict[str, np.ndarray]:
    """Return `codes` (n,), `usage` (n,) and `pixels` uint8 (n, 48, 48) of the Kaggle file.

    To unpack the compressed form takes long, so what was in it is kept in `Datasets`, where that
    can be written.
    """
    if pixel_file.suffix != ".xz" or not os.access(_KEPT_IN, os.W_OK):
        return _parsed(pixel_file)
    of = fingerprint([pixel_file])
    return kept_or_made(_KEPT_IN / f"fer2013_{of}.npz", {"of": of}, lambda: _parsed(pixel_file))


def _parsed(pixel_file: Path) -> dict[str, np.ndarray]:
    import pandas as pd

    raw = pd.read_csv(pixel_file)
    pixels = [np.fromstring(text, np.uint8, sep=" ") for text in raw["pixels"]]
    return {
        "codes": raw["emotion"].to_numpy(),
        "usage": raw["Usage"].to_numpy(str),
        "pixels": np.array(pixels, np.uint8).reshape(-1, SIZE_PX, SIZE_PX),
    }


def list_pictures(folder: Path | None = None) -> pd.DataFrame:
    """List the pictures with their split and a digest of their pixels.

    Args:
        folder: As for `load_fer2013`.

    Returns:
        One row each: path (of the whole file), clip_id, emotion, split, digest.

    Raises:
        CorpusMissingError: If a file is absent.
    """
    import pandas as pd

    folder = Path(folder or data_folder() / "FER2013")
    table, pixels = load_fer2013(folder)
    return pd.DataFrame(
        {
            "path": str(next(folder.glob("fer2013.csv*"))),
            "clip_id": table["clip_id"],
            "emotion": table["label"],
            "split": table["usage"],
            "digest": [hashlib.sha1(picture.tobytes()).hexdigest() for picture in pixels],
        }
    )


def _majority(votes: pd.DataFrame) -> list[str | None]:
    """Return FER+'s majority label: single votes dropped, then more than half of the rest."""
    columns = [*_VOTE_COLUMNS, *_NOT_AN_EMOTION]
    counts = votes[columns].to_numpy(float)
    counts[counts <= 1] = 0
    winner = counts.argmax(1)
    clear = counts.max(1) > 0.5 * counts.sum(1)
    names = [*_VOTE_COLUMNS.values(), None, None]
    return [names[i] if ok else None for i, ok in zip(winner, clear, strict=True)]


def vote_targets(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the raters' votes as distributions, and how much to trust each.

    Single votes are dropped as outliers where others remain, as the authors of FER+ do.

    Returns:
        float32 (n, 8) summing to 1, and float32 (n,) weights: 1 where any emotion was
        voted for, else 0 (no face, or nobody knew).
    """
    votes = table[[f"votes_{name}" for name in FERPLUS8]].to_numpy(np.float32)
    kept = np.where(votes > 1, votes, 0)
    kept = np.where(kept.sum(1, keepdims=True) > 0, kept, votes)
    total = kept.sum(1, keepdims=True)
    uniform = np.full_like(votes, 1 / len(FERPLUS8))
    targets = np.where(total > 0, kept / np.maximum(total, 1), uniform)
    return targets.astype(np.float32), (total[:, 0] > 0).astype(np.float32)


def label_targets(table: pd.DataFrame) -> np.ndarray:
    """Return the Kaggle labels one-hot over COMMON7, float32, shape (n, 7)."""
    return np.eye(len(COMMON7), dtype=np.float32)[[COMMON7.index(x) for x in table["label"]]]


def drop_leaked(table: pd.DataFrame, pixels: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    """Return which pictures may train: not held out, and no copy of a held-out one.

    FER-2013 repeats pictures across its splits; a copy is recognised by its pixels.

    Args:
        table: As `load_fer2013` gives it; only its length is used.
        pixels: The pictures, (n, 48, 48).
        held_out: bool (n,), the pictures to be judged on.

    Returns:
        bool array (n,).
    """
    import pandas as pd

    keys = pd.Series([picture.tobytes() for picture in pixels], index=table.index)
    return (~held_out) & ~keys.isin(set(keys[held_out])).to_numpy()


VALIDATION_SHARE = 0.05
SPLIT_SEED = 1


def training_rows(
    table: pd.DataFrame, pixels: np.ndarray, seed: int = SPLIT_SEED
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split by picture: PublicTest is the test side, 5 % of Training validates.

    Copies of a test or validation picture never train.

    Returns:
        Three bool arrays (n,): train, validation, test.
    """
    test = (table["usage"] == "PublicTest").to_numpy()
    pool = drop_leaked(table, pixels, test)
    rng = np.random.default_rng(seed)
    validation = pool & (rng.random(len(table)) < VALIDATION_SHARE)
    train = drop_leaked(table, pixels, test | validation)
    return train, validation, test


_KAGGLE = (
    "https://www.kaggle.com/c/challenges-in-representation-learning-"
    "facial-expression-recognition-challenge"
)

CORPUS = Corpus(
    key="fer2013",
    name="FER-2013",
    folder="FER2013",
    medium="pictures",
    load=list_pictures,
    classes=COMMON7,
    # Training, PublicTest, PrivateTest.
    planned_count=28_709 + 3_589 + 3_589,
    layout="fer2013.csv*",
    example="fer2013.csv",
    holds="48x48 grey faces from the web, as pixels in a table (or `.csv.xz`)",
    citation="Goodfellow et al. 2013",
    source="Kaggle; needs an account and consent to the challenge's rules",
    url=_KAGGLE,
    terms="the terms of the Kaggle ICML-2013 challenge; research",
    companions=(
        Companion(
            file="FER2013/fer2013new.csv",
            holds="FER+ votes of ten raters for the same rows, in the same order",
            name="FER+ labels",
            citation="Barsoum et al. 2016",
            source="GitHub, file `fer2013new.csv`",
            url="https://github.com/microsoft/FERPlus",
            terms="MIT",
        ),
    ),
    how=(
        "FER-2013 needs an account at Kaggle and consent to the challenge's rules:",
        f"  {_KAGGLE}",
        "Put fer2013.csv into {folder}. The votes of FER+ (MIT) belong beside it:",
        "  https://github.com/microsoft/FERPlus, file fer2013new.csv",
    ),
)
