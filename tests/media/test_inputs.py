"""What can be given as a clip: each form gives the verdict of the file; what is none is told."""

import io
import pickle

import av
import numpy as np
import pytest
from helpers import made_voice, write_clip

from emorec import MediaError, Recording
from emorec.media import inputs
from emorec.media.reader import BOTH_KINDS, FrameBatch, SoundBlock, read_sound
from emorec.media.recording import RecordingReader
from emorec.media.source import Source


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "a.wav"
    return write_clip(path, None, made_voice(1.0), audio_codec="pcm_s16le")


@pytest.fixture(scope="module")
def verdict(recognizer, sound):
    return recognizer.classify(sound).posteriors["fused"]


def test_bytes_files_and_recordings_are_read_as_the_clip_is(recognizer, sound, verdict):
    content = sound.read_bytes()
    recording = Recording(sound=read_sound(sound, 48_000), sample_rate_hz=48_000, name="mine")
    with sound.open("rb") as file:
        clips = [content, bytearray(content), io.BytesIO(content), file, recording]
        results = list(recognizer.classify_many(clips))
    names = [result.name for result in results]
    assert names == [f"{len(content):,} bytes"] * 2 + ["clip", str(sound), "mine"]
    for result in results:
        np.testing.assert_allclose(result.posteriors["fused"], verdict, atol=1e-3)
        assert not result.path.exists() or result.path == sound


def test_other_processes_are_sent_the_same(sound):
    content = sound.read_bytes()
    recording = Recording(sound=np.zeros(8_000, np.float32), sample_rate_hz=8_000)
    for clip in (sound, str(sound), content, io.BytesIO(content), recording):
        sent = pickle.loads(pickle.dumps(inputs.sendable(clip)))
        assert isinstance(sent, str | bytes | Recording)


@pytest.mark.parametrize(
    ("clip", "words"),
    [
        (np.zeros((9, 48, 64), np.uint8), "emorec.Recording(frames, frame_rate_hz=25)"),
        (["a.mp4", "b.mp4"], "classify_many"),
        (7, "of the kind int"),
        (None, "of the kind NoneType"),
        (b"", "the file is empty"),
        (b"nothing that plays", "it is a text"),
        (io.StringIO("text"), "it gives text"),
        ("https://example.org/a.mp4", "curl -L ADDRESS"),
        ("-", "emorec classify reads it as -"),
    ],
)
def test_what_is_no_clip_is_told(recognizer, clip, words):
    with pytest.raises(MediaError) as error:
        recognizer.classify(clip)
    assert words in str(error.value)
    assert "/emorec-" not in str(error.value)
    assert recognizer.classify_safely(clip).status == "failed"


def test_a_pipe_that_never_ends_is_bounded(monkeypatch):
    monkeypatch.setattr(inputs, "MOST_BYTES", 3_000_000)
    with (
        open("/dev/zero", "rb") as endless,  # noqa: PTH123
        pytest.raises(MediaError, match="more than 0 GB come"),
        inputs.spooled(endless, "zeros"),
    ):
        pass


def test_a_stream_that_breaks_is_told():
    class Broken(io.RawIOBase):
        def read(self, size=-1):
            raise ConnectionResetError(104, "Connection reset by peer")

    with pytest.raises(MediaError, match="Connection reset"), inputs.spooled(Broken(), "pipe"):
        pass


def test_streams_that_are_asked_for_judge_alone(recognizer, example):
    voice = recognizer.for_streams("voice").classify(example)
    assert list(voice.posteriors) == ["voice", "fused"]
    assert not any("picture" in note or "face" in note for note in voice.notes[1:])
    both = recognizer.for_streams("face", "voice").classify(example)
    assert list(both.posteriors) == ["voice", "face", "fused"]
    assert both.duration_s == pytest.approx(voice.duration_s, abs=0.5)
    with pytest.raises(ValueError, match="choose from voice, face, geometry"):
        recognizer.for_streams("mouth")


@pytest.mark.parametrize(
    ("streams", "decoded"),
    [(("voice",), {"audio"}), (("face", "geometry"), {"video"}), (("voice", "face"), BOTH_KINDS)],
)
def test_what_no_stream_asks_for_is_not_decoded(recognizer, example, monkeypatch, streams, decoded):
    found = set()
    decode = Source._decoded

    def spy(source, packet):
        found.add(packet.stream.type)
        return decode(source, packet)

    monkeypatch.setattr(Source, "_decoded", spy)
    result = recognizer.for_streams(*streams).classify(example)
    monkeypatch.undo()
    whole = recognizer.classify(example)
    assert found == set(decoded)
    assert set(result.posteriors) == {*streams, "fused"}
    for stream in streams:
        np.testing.assert_array_equal(result.posteriors[stream], whole.posteriors[stream])
    assert result.notes == whole.notes
    assert result.duration_s == pytest.approx(whole.duration_s, abs=0.2)


def test_a_clip_without_what_is_asked_for_says_so(recognizer, example, tmp_path):
    silent = tmp_path / "silent.mp4"
    with av.open(str(example)) as source, av.open(str(silent), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    result = recognizer.for_streams("voice").classify(silent)
    assert (result.status, result.reason) == ("no verdict", "voice: not in it")
    assert "no sound" in result.notes


def test_of_a_recording_only_what_is_asked_for_is_converted():
    frames = np.zeros((30, 64, 64), np.uint8)
    sound = np.zeros(16_000, np.float32)
    recording = Recording(frames, frame_rate_hz=15, sound=sound, sample_rate_hz=16_000)
    how = {"sample_rate_hz": 16_000, "frames_per_batch": 4}
    for kind, read in (("video", FrameBatch), ("audio", SoundBlock)):
        pieces = list(RecordingReader(recording, **how, kinds=[kind]))
        assert pieces and {type(piece) for piece in pieces} == {read}


def test_a_stream_that_is_not_in_the_clip_gives_no_verdict(recognizer, sound):
    result = recognizer.for_streams("face").classify(sound)
    assert (result.status, result.reason) == ("no verdict", "face: not in it")
