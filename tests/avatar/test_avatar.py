"""Avatars: names, streams, repeatability, and faces and voices that detectors can read."""

import re
import wave
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from emorec.avatar import (
    EXPRESSIONS,
    SAMPLE_RATE_HZ,
    Pose,
    Take,
    all_takes,
    draw_face,
    make_actor,
    make_corpus,
    make_sound_corpus,
    synthesise_voice,
    take_frames,
    take_path,
    write_clip,
)
from emorec.paths import REPOSITORY

SMALL = (320, 180)
CASCADE = REPOSITORY / "Other" / "haarcascade_frontalface_default.xml"
EXAMPLES = REPOSITORY / "DEMO" / "Examples"
RAVDESS_NAME = re.compile(r"01-01-0[1-8]-0[12]-0[12]-\d\d-\d\d\.mp4")


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", 3, Take("happy"), SMALL)


def level_db(sound: np.ndarray) -> float:
    """Mean level of a sound in decibels below full scale."""
    return 20 * np.log10(np.sqrt(np.mean(sound.astype(float) ** 2)))


def voiced(actor: int, emotion: str) -> np.ndarray:
    """Return the spoken part of a take."""
    speech = synthesise_voice(make_actor(actor), emotion)
    return speech.sound[int(speech.start_s * SAMPLE_RATE_HZ) : int(speech.end_s * SAMPLE_RATE_HZ)]


def spectral_centroid_hz(sound: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(sound)) ** 2
    return float(power @ np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE_HZ) / power.sum())


def test_an_actor_plays_ravdess_sixty_takes():
    names = [take_path(12, take) for take in all_takes()]
    assert len(set(names)) == 60
    assert all(name.parent.name == "Actor_12" for name in names)
    assert all(RAVDESS_NAME.fullmatch(name.name) for name in names)
    assert all(name.stem.endswith("-12") for name in names)


@pytest.mark.parametrize("take", [Take("bored"), Take("happy", intensity=3)])
def test_unknown_takes_are_refused(take):
    with pytest.raises(ValueError, match=r"bored|intensity 3"):
        take_path(1, take)


def test_odd_sizes_and_missing_actors_are_refused(tmp_path):
    with pytest.raises(ValueError, match="even"):
        write_clip(tmp_path / "a.mp4", 1, Take("sad"), size=(321, 180))
    with pytest.raises(ValueError, match="actor 0"):
        write_clip(tmp_path / "a.mp4", 0, Take("sad"))
    assert not list(tmp_path.iterdir())


def test_a_clip_has_h264_and_aac_of_the_same_length(clip):
    with av.open(str(clip)) as movie:
        video, audio = movie.streams.video[0], movie.streams.audio[0]
        assert (video.codec.canonical_name, audio.codec.canonical_name) == ("h264", "aac")
        assert (video.width, video.height) == SMALL
        assert video.average_rate == 30
        assert audio.rate == SAMPLE_RATE_HZ
        frames = sum(1 for _ in movie.decode(video))
        assert 2.5 < movie.duration / av.time_base < 4.2
    with av.open(str(clip)) as movie:
        samples = sum(frame.samples for frame in movie.decode(audio=0))
    assert samples / SAMPLE_RATE_HZ == pytest.approx(frames / 30, abs=0.1)


def test_the_same_take_is_drawn_and_spoken_alike_twice():
    actor, take = make_actor(2), Take("fear")
    speech, again = (synthesise_voice(actor, "fear", seed=1) for _ in range(2))
    assert np.array_equal(speech.sound, again.sound)
    for first, second in zip(
        take_frames(actor, take, speech, SMALL),
        take_frames(actor, take, again, SMALL),
        strict=True,
    ):
        assert np.array_equal(first, second)
    other = synthesise_voice(actor, "fear", seed=2)
    assert len(other.sound) != len(speech.sound) or not np.array_equal(other.sound, speech.sound)


def test_actors_look_and_sound_different():
    actors = [make_actor(number) for number in range(1, 25)]
    assert len({(a.skin, a.hair, a.hair_style, a.shirt) for a in actors}) > 18
    women = [a.pitch_hz for a in actors if a.female]
    men = [a.pitch_hz for a in actors if not a.female]
    assert min(women) > max(men)


def test_strict_haar_finds_exactly_one_face():
    cascade = cv2.CascadeClassifier(str(CASCADE))
    rng = np.random.default_rng(0)
    counts = []
    for number in range(1, 9):
        for expression in EXPRESSIONS.values():
            moves = rng.uniform(-1, 1, 5) * (8, 5, 7, 4, 2)
            pose = Pose(*moves, blink=rng.uniform(), speech_open=rng.uniform(0, 15))
            frame = draw_face(make_actor(number), expression, pose)
            grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
            counts.append(len(cascade.detectMultiScale(grey, 1.12, 9)))
    assert np.mean(np.array(counts) == 1) >= 0.99, counts


def test_surprise_opens_the_mouth_and_every_expression_shows():
    actor = make_actor(1)
    rest = draw_face(actor, EXPRESSIONS["neutral"], size=SMALL).astype(int)
    for emotion, expression in EXPRESSIONS.items():
        changed = np.abs(draw_face(actor, expression, size=SMALL) - rest).mean()
        assert (changed > 0) == (emotion != "neutral")
    assert not np.abs(draw_face(actor, EXPRESSIONS["fear"].scaled(0), size=SMALL) - rest).any()


def test_anger_is_loud_bright_and_fast_and_sadness_soft_dull_and_slow():
    for actor in (1, 2):
        angry, sad = voiced(actor, "angry"), voiced(actor, "sad")
        assert level_db(angry) > level_db(sad) + 12
        assert spectral_centroid_hz(angry) > 1.2 * spectral_centroid_hz(sad)
        assert len(angry) < 0.85 * len(sad)
        assert np.abs(angry).max() <= 1


def test_a_corpus_resumes_without_touching_finished_clips(tmp_path):
    takes = [Take("calm", statement=2), Take("angry")]
    first = make_sound_corpus(tmp_path, [1], takes)
    assert [path.name for path in first] == [
        "03-01-02-02-02-01-01.wav",
        "03-01-05-02-01-01-01.wav",
    ]
    with wave.open(str(first[0])) as sound:
        assert (sound.getframerate(), sound.getnchannels()) == (SAMPLE_RATE_HZ, 1)
    first[0].write_bytes(b"finished earlier")
    again = make_sound_corpus(tmp_path, [1, 2], takes)
    assert first[0].read_bytes() == b"finished earlier"
    assert len(again) == 4
    assert all(path.exists() for path in again)
    assert not list(tmp_path.rglob("*.part"))


def test_make_corpus_writes_ravdess_folders(tmp_path):
    (path,) = make_corpus(tmp_path, [4], [Take("sad", intensity=1)])
    assert path == tmp_path / "Actor_04" / "01-01-04-01-01-01-04.mp4"
    assert path.stat().st_size > 10_000


def test_seven_small_examples_are_shipped():
    clips = sorted(EXAMPLES.glob("01-01-*.mp4"))
    assert [int(clip.name[6:8]) for clip in clips] == [1, 3, 4, 5, 6, 7, 8]
    assert len({clip.stem[-2:] for clip in clips}) == 7
    assert all(clip.stat().st_size < 400_000 for clip in clips)
