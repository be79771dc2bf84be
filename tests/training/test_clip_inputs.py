from pathlib import Path

import cv2
import numpy as np
from helpers import rewrite, write_clip

from emorec.corpora import javased, ravdess
from emorec.faces.boxes import widened
from emorec.media.grey import FrameBatch
from emorec.media.reader import ClipReader
from emorec.training.clip_inputs import read_clip_inputs


def test_a_squeezed_picture_is_seen_in_its_true_proportions(example, tmp_path):
    frames = np.concatenate([p.frames for p in ClipReader(example) if isinstance(p, FrameBatch)])
    frames = frames[:20]
    height, width = frames.shape[1:]
    narrow = np.stack([cv2.resize(f, (round(width * 3 / 8) * 2, height)) for f in frames])
    squeezed = write_clip(tmp_path / "squeezed.mp4", narrow)
    plain = read_clip_inputs(write_clip(tmp_path / "plain.mp4", frames))
    found = read_clip_inputs(squeezed, pixel_aspect=4 / 3)
    assert found.faces.shape[1:] == (48, 48)

    def width_of_eyes(landmarks):
        return np.median(landmarks[:, 45, 0] - landmarks[:, 36, 0])

    true_width = width_of_eyes(plain.landmarks)
    assert abs(width_of_eyes(found.landmarks) / true_width - 1) < 0.08
    assert width_of_eyes(read_clip_inputs(squeezed).landmarks) < 0.85 * true_width


def test_a_widened_box_keeps_its_place():
    frame = np.zeros((90, 120), np.uint8)
    frame[40:50, 60:70] = 255
    shown, box = widened(frame, np.array([55, 35, 20, 20]), 4 / 3)
    x, y, width, height = box
    assert shown.shape == (90, 160)
    assert shown[y : y + height, x : x + width].sum() == shown.sum()
    rows, columns = np.nonzero(shown > 127)
    assert abs(columns.mean() - (x + width / 2)) < 1
    assert abs(rows.mean() - (y + height / 2)) < 1


def test_javased_is_squeezed_and_its_pixel_aspect_mends_it(emorec_data, tmp_path):
    def nose(landmarks):
        """Length of the nose in distances of the eyes, median over the frames."""
        left, right = landmarks[:, 36:42].mean(1), landmarks[:, 42:48].mean(1)
        length = np.linalg.norm(landmarks[:, 33] - (left + right) / 2, axis=1)
        return np.median(length / np.linalg.norm(right - left, axis=1))

    table = javased.load_video_table(emorec_data / "JavaSED").drop_duplicates("speaker")
    # The first second of each actor tells it as well.
    clips = [
        rewrite(path, tmp_path / Path(path).name, keep=lambda kind, time_s: time_s < 1)
        for path in table["path"]
    ]
    of_some = range(1, 25, 4)
    _, tracks = ravdess.load_landmarks(emorec_data / "RAVDESS_landmarks", of_some)
    natural = np.mean([nose(track) for track in tracks[::15]])
    stored = np.mean([nose(read_clip_inputs(path).landmarks) for path in clips])
    shown = np.mean([nose(read_clip_inputs(p, javased.PIXEL_ASPECT).landmarks) for p in clips])
    assert stored > 1.15 * natural
    assert abs(shown / natural - 1) < 0.1
