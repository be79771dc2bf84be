"""What several test files make: clips, tones, frames; and waiting for what comes about."""

import heapq
import time
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np

from emorec.avatar.actor import make_actor
from emorec.avatar.voice import SAMPLE_RATE_HZ, synthesise_voice
from emorec.paths import REPOSITORY

EXAMPLES = sorted((REPOSITORY / "DEMO" / "Examples").glob("*.mp4"))
PATIENCE_S = 60.0


def wait_for(condition) -> None:
    """Wait until something is so; fail when it never is."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, "it never came about"
        time.sleep(0.02)


def shake(network):
    """Move all weights off their initial values."""
    rng = np.random.default_rng(0)
    network.set_weights([w + rng.normal(0, 0.05, w.shape) for w in network.get_weights()])
    return network


def made_frames(count: int, height: int = 120, width: int = 160) -> np.ndarray:
    """Grey frames (count, height, width) uint8 with a bright top left quarter; it gets brighter.

    The quarter tells which way is up, its brightness tells the frame.
    """
    frames = np.full((count, height, width), 40, np.uint8)
    levels = np.linspace(120, 230, count).astype(np.uint8)
    frames[:, : height // 2, : width // 2] = levels[:, np.newaxis, np.newaxis]
    return frames


def made_tone(seconds: float, sample_rate_hz: int = 48_000, frequency_hz: float = 440.0):
    """A sine of amplitude 0.5, (n,) float32."""
    time_s = np.arange(round(seconds * sample_rate_hz)) / sample_rate_hz
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


@cache
def _spoken() -> np.ndarray:
    """A made-up sentence at 48 kHz without the pauses at its ends, (n,) float32."""
    speech = synthesise_voice(make_actor(3), "happy")
    start, end = (round(time_s * SAMPLE_RATE_HZ) for time_s in (speech.start_s, speech.end_s))
    return speech.sound[start:end]


def made_voice(seconds: float, sample_rate_hz: int = 48_000) -> np.ndarray:
    """A made-up voice that speaks all the time, amplitude 0.5, (n,) float32."""
    sound = np.resize(_spoken(), round(seconds * SAMPLE_RATE_HZ))
    time_s = np.arange(round(seconds * sample_rate_hz)) / sample_rate_hz
    voice = np.interp(time_s * SAMPLE_RATE_HZ, np.arange(sound.size), sound)
    return (0.5 / np.abs(voice).max() * voice).astype(np.float32)


def write_clip(
    path: Path,
    frames: np.ndarray | None = None,
    sound: np.ndarray | None = None,
    *,
    frame_rate_hz: int = 25,
    sample_rate_hz: int = 48_000,
    video_codec: str = "libx264",
    audio_codec: str = "aac",
    pixel_format: str = "yuv420p",
    layout: str = "mono",
    turn_deg: float = 0,
    frame_times_s: list[float] | None = None,
    pixel_aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a clip with PyAV.

    Args:
        path: The file; its suffix names the container.
        frames: (n, height, width) grey or (n, height, width, 3) RGB, uint8; None for no picture.
        sound: (n,) or (channels, n) float32; None for no sound.
        frame_rate_hz: Frame rate.
        sample_rate_hz: Sample rate.
        video_codec: FFmpeg's name of the encoder.
        audio_codec: FFmpeg's name of the encoder.
        pixel_format: FFmpeg's name of the stored pixel format.
        layout: FFmpeg's name of the channel layout.
        turn_deg: Rotation that the file asks its player for.
        frame_times_s: Times of the frames, where the rate varies.
        pixel_aspect: Width of a pixel where its height is one, stated in the file.
        options: Options of the container.

    Returns:
        The path.
    """
    with av.open(str(path), "w", options=options or {}) as container:
        video = audio = None
        if frames is not None:
            video = container.add_stream(video_codec, rate=frame_rate_hz)
            video.height, video.width = frames.shape[1:3]
            video.pix_fmt = pixel_format
            if frame_times_s is not None:
                video.codec_context.time_base = Fraction(1, 1000)
            if pixel_aspect is not None:
                video.codec_context.sample_aspect_ratio = pixel_aspect
            if turn_deg:
                video.set_display_rotation(turn_deg)
        if sound is not None:
            audio = container.add_stream(audio_codec, rate=sample_rate_hz, layout=layout)
        pictures = [] if video is None else _pictures(frames, frame_rate_hz, frame_times_s)
        pieces = [] if audio is None else _pieces(np.atleast_2d(sound), layout, audio)
        # In the order of time, as cameras write their files.
        for _, frame in heapq.merge(pictures, pieces, key=lambda item: item[0]):
            container.mux((video if isinstance(frame, av.VideoFrame) else audio).encode(frame))
        for stream in (video, audio):
            if stream is not None:
                container.mux(stream.encode(None))
    return path


def _pictures(frames, frame_rate_hz, times_s):
    """Time and picture of each frame."""
    for index, picture in enumerate(frames):
        rgb = picture if picture.ndim == 3 else np.repeat(picture[..., np.newaxis], 3, axis=-1)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), "rgb24")
        time_s = index / frame_rate_hz if times_s is None else times_s[index]
        if times_s is not None:
            frame.time_base = Fraction(1, 1000)
            frame.pts = round(time_s * 1000)
        yield time_s, frame


def _pieces(sound, layout, stream):
    """Time and samples of each piece of sound."""
    rate_hz = stream.codec_context.sample_rate
    resampler = av.AudioResampler(
        stream.format.name, layout, rate_hz, frame_size=stream.frame_size or 1024
    )
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound), "fltp", layout)
    frame.sample_rate = rate_hz
    frame.pts = 0
    for piece in [*resampler.resample(frame), *resampler.resample(None)]:
        yield piece.pts / rate_hz, piece


def rewrite(
    source: Path, out: Path, keep=lambda kind, time_s: True, shift_s=lambda kind, time_s: 0.0
) -> Path:
    """Copy a clip packet by packet, leaving some out and moving the time stamps of others."""
    with av.open(str(source)) as old, av.open(str(out), "w") as new:
        streams = {s.index: new.add_stream_from_template(s) for s in old.streams}
        for packet in old.demux():
            if packet.dts is None:
                continue
            kind, time_s = packet.stream.type, float(packet.pts * packet.time_base)
            if not keep(kind, time_s):
                continue
            moved = round(shift_s(kind, time_s) / packet.time_base)
            packet.pts, packet.dts = packet.pts + moved, packet.dts + moved
            packet.stream = streams[packet.stream.index]
            new.mux(packet)
    return out
