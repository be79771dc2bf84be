"""Two made-up people in one clip, in turn: two verdicts, each with the voice of its own turn."""

import csv
import io
import json

import cv2
import numpy as np
import pytest
from helpers import write_clip
from made_results import ALL, made_result

from emorec.avatar.actor import make_actor
from emorec.avatar.clip import FRAME_RATE_HZ, Take, take_frames
from emorec.avatar.expression import EXPRESSIONS, Pose
from emorec.avatar.face import draw_face
from emorec.avatar.voice import synthesise_voice
from emorec.report.people_table import PEOPLE_COLUMNS, person_entry
from emorec.report.people_writer import PeopleWriter
from emorec.report.terminal import Line, print_table

SIZE = (640, 360)


def _middle(frame):
    return frame[:, 160:480]


def _turn(speaker, listener, emotion):
    """Frames of a speaker, those of who listens with a still face, and the sound."""
    actor, take = make_actor(speaker), Take(emotion)
    speech = synthesise_voice(actor, emotion, 2, 1, 1)
    frames = np.stack([_middle(frame) for frame in take_frames(actor, take, speech, SIZE)])
    rng = np.random.default_rng(listener)
    # Somebody who breathes and blinks, and says nothing.
    poses = [Pose(x=x, blink=blink) for x, blink in ((0, 0), (2, 0), (4, 0), (2, 1))]
    calm = EXPRESSIONS["neutral"]
    drawn = [_middle(draw_face(make_actor(listener), calm, pose, SIZE)) for pose in poses]
    still = np.stack([drawn[i // 8 % len(drawn)] for i in range(len(frames))])
    noise = rng.integers(0, 3, still.shape, dtype=np.uint8)
    return frames, cv2.add(still, noise), speech.sound


@pytest.fixture(scope="module")
def told(recognizer, tmp_path_factory):
    first, second = _turn(3, 5, "happy"), _turn(5, 3, "angry")
    left = np.concatenate([first[0], second[1]])
    right = np.concatenate([first[1], second[0]])
    sound = np.concatenate([first[2], second[2]])
    path = write_clip(
        tmp_path_factory.mktemp("talk") / "talk.mp4",
        np.concatenate([left, right], axis=2)[..., ::-1],
        sound,
        frame_rate_hz=FRAME_RATE_HZ,
    )
    return recognizer.for_everybody().classify(path), len(first[2]) / 48_000


def test_the_faces_of_both_are_in_one_table(told):
    faces = told[0].faces
    assert set(faces["person"]) == {1, 2}
    assert faces["time_s"].is_monotonic_increasing
    middles = faces["x"] + faces["width"] / 2
    assert (middles < 320)[faces["person"] == 1].all()
    assert (middles > 320)[faces["person"] == 2].all()


def test_who_says_nothing_is_left_away_where_the_voice_alone_is_asked_for(recognizer, tmp_path):
    speaker = _turn(3, 5, "happy")
    both = np.concatenate(speaker[:2], axis=2)[..., ::-1]
    path = write_clip(tmp_path / "one.mp4", both, speaker[2], frame_rate_hz=FRAME_RATE_HZ)
    people = recognizer.for_streams("voice").for_everybody().classify(path).people
    assert [set(person.posteriors) for person in people] == [{"voice", "fused"}]


def test_where_nobody_listens_it_is_not_said_who_is_silent(told, recognizer, tmp_path):
    seen = recognizer.for_streams("face").for_everybody().classify(told[0].path)
    assert [person.speech_share for person in seen.people] == [None, None]
    for line in Line.of(seen).people:
        assert not any("speech" in note for note in line.notes)
    with PeopleWriter(tmp_path / "people.csv") as writer:
        writer.add(seen)
    rows = (tmp_path / "people.csv").read_text().splitlines()
    shares = [row["speech_share"] for row in csv.DictReader(rows)]
    assert shares == ["", ""]


def test_each_has_a_number_a_track_and_the_voice_of_their_turn(told):
    result, turn_s = told
    left, right = result.people
    assert (left.number, right.number) == (1, 2)
    assert left.track.at(1.0)[0] < 0.5 < right.track.at(1.0)[0]
    assert left.seen_s == pytest.approx(result.duration_s, abs=0.5)
    assert np.median(left.windows["voice"].times_s) < turn_s
    assert np.median(right.windows["voice"].times_s) > turn_s
    assert left.speech_share + right.speech_share > 0.8
    for person in (left, right):
        assert {"voice", "face", "fused"} <= set(person.posteriors)
        assert not person.is_picture and person.segments and str(person.number) in repr(person)


def test_the_clips_own_verdict_is_as_ever(told, recognizer):
    result, _ = told
    plain = recognizer.classify(result.path)
    assert plain.people == () and plain.notes == result.notes
    for stream, posterior in plain.posteriors.items():
        np.testing.assert_array_equal(posterior, result.posteriors[stream])


def test_people_stand_below_the_clip_in_json_and_in_a_file(told, tmp_path):
    result, _ = told
    file = io.StringIO()
    print_table([result], file)
    lines = file.getvalue().splitlines()
    rows = [i for i, line in enumerate(lines) if line.startswith("  person ")]
    assert [lines[i].split()[1] for i in rows] == ["1", "2"]
    assert "of the speech" in lines[rows[0] + 1]
    entry = json.loads(json.dumps(person_entry(result.people[0])))
    assert entry["person"] == 1 and sum(entry["probabilities"]["fused"].values()) > 0.99
    with PeopleWriter(tmp_path / "people.csv") as writer:
        writer.add(result)
        writer.add(made_result(ALL, "nobody.mp4"))
    with (tmp_path / "people.csv").open(newline="") as csv_file:
        found = list(csv.DictReader(csv_file))
    assert tuple(found[0]) == PEOPLE_COLUMNS and [row["person"] for row in found] == ["1", "2"]
    assert found[1]["emotion"] == result.people[1].emotion
