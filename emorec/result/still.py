"""A single picture: what each face in it looks like. Nothing moves or sounds in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emorec.emotions import COMMON7
from emorec.engines import Network
from emorec.faces.boxes import crop_face
from emorec.faces.landmarks import LandmarkPredictor
from emorec.faces.record import FaceRecorder
from emorec.faces.still import SMALLEST_PX, find_faces
from emorec.faces.track import FaceTrackRecorder
from emorec.faces.upright import Sighting
from emorec.media.inputs import Given
from emorec.media.pictures import Picture
from emorec.result.clip import ClipResult, Person
from emorec.streams.face import FACE_WINDOW_S, FaceUsed, predict_faces
from emorec.streams.judge import ANYBODY, Judge
from emorec.streams.windows import Findings

__all__ = ["NOTE", "read_still"]

NOTE = "a single picture: the face alone is read"

_AT_ONCE = 32
_PICTURES_KEPT, _PICTURE_PX = 8, 112


def read_still(
    given: Given,
    picture: Picture,
    network: Network,
    landmarks: LandmarkPredictor,
    judge: Judge,
    notes: Sequence[str] = (),
) -> ClipResult:
    """Read every face of a picture; the verdict is that of the largest.

    Args:
        given: What was given.
        picture: The picture that it is.
        network: The face network.
        landmarks: Finds the landmarks.
        judge: Judges the largest face.
        notes: What a reader of every result should know.
    """
    grey = picture.grey
    faces = find_faces(grey)
    if not faces:
        reason = "there is no face in this picture that can be read"
        remedy = f"use one in which a face of {SMALLEST_PX} pixels or more is seen from the front"
        return ClipResult(given.path, "no verdict", reason=reason, remedy=remedy, named=given.named)
    said = np.concatenate(
        [
            predict_faces(
                lambda batch: np.hstack(network.read(batch)[::2]),
                np.stack([_crop(face, network) for face in some]),
            )
            for some in (faces[i : i + _AT_ONCE] for i in range(0, len(faces), _AT_ONCE))
        ]
    )
    classes = network.spec.classes
    findings = [
        Findings(classes, np.zeros(1), one[np.newaxis], one, FACE_WINDOW_S, embedding[np.newaxis])
        for one, embedding in zip(*np.split(said, [len(classes)], axis=1), strict=True)
    ]
    # Of the person whom the judge may know, it is not said which of them it is.
    anybodys = Judge(judge.fusion, ANYBODY)
    shape, scales = grey.shape, {grey.shape: picture.reduced_by}
    people = []
    for number, (face, found) in enumerate(zip(faces, findings, strict=True), 1):
        track, record = FaceTrackRecorder(), FaceRecorder(scales)
        track.add(0.0, face.box, shape)
        points = landmarks.predict(face.frame, face.upright_box)
        record.add(0.0, shape, face.box)
        record.add_points(0.0, face.in_picture(points))
        seen = anybodys.of_faces(record.finish(), found)
        verdict = anybodys.of_clip({"face": found}, 0.0)
        people.append(Person(number, track.finish(), **verdict, seen=seen))
    return ClipResult(
        given.path,
        "ok",
        **judge.of_clip({"face": findings[0]}, 0.0),
        notes=[*notes, NOTE],
        faces_used=[_used(face, one) for face, one in zip(faces, people, strict=True)][
            :_PICTURES_KEPT
        ],
        face_track=people[0].track,
        people=tuple(people),
        named=given.named,
        seen=people[0].seen,
    )


def _crop(face: Sighting, network: Network) -> np.ndarray:
    return crop_face(face.frame, face.upright_box, network.input_shape[0] or 0)


def _used(face: Sighting, person: Person) -> FaceUsed:
    picture = crop_face(face.frame, face.upright_box, _PICTURE_PX)
    posterior = person.posteriors["face"]
    best = int(posterior.argmax())
    return FaceUsed(0.0, picture, COMMON7[best], float(posterior[best]))
