"""The look of the usual face, from which `emorec.faces.look` measures: a mean over people.

python -m emorec.training.usual_look    # Other/usual_look.csv, from the faces of CFEE
"""

from __future__ import annotations

import argparse

import numpy as np

from emorec.corpora import cfee
from emorec.errors import run_main
from emorec.faces.alignment import align_face
from emorec.faces.landmarks import LandmarkPredictor
from emorec.faces.look import patterns_of
from emorec.files import write_atomically
from emorec.paths import usual_look_path

__all__ = ["usual_look"]

_FACE_PX = 64


def usual_look(pictures: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Average the patterns of faces so that each person counts alike.

    Args:
        pictures: (n, height, width) uint8, each filled by a face.
        people: (n,) who is seen.

    Returns:
        (CELLS, PATTERNS) float64.
    """
    predictor = LandmarkPredictor()
    found = []
    for picture in pictures:
        height, width = picture.shape
        points = predictor.predict(picture, np.array([0, 0, width, height]))
        found.append(patterns_of(align_face(picture, points, _FACE_PX)))
    patterns = np.array(found)
    return np.mean([patterns[people == person].mean(0) for person in np.unique(people)], axis=0)


def main() -> None:
    """Write the file."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    table = cfee.load_picture_table()
    look = usual_look(cfee.load_pictures(table), table["speaker"].to_numpy())
    write_atomically(
        usual_look_path(), lambda name: np.savetxt(name, look, delimiter=",", fmt="%.4f")
    )


if __name__ == "__main__":
    run_main(main)
