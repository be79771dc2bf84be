"""What bad recordings do: noise, rooms, telephones and codecs; blur, darkness, half-covered faces.

Unlike `emorec.training.augment`, which draws at random what training may meet, these change a
recording by a stated amount, so that accuracy can be drawn against it.
"""

import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.fft import next_fast_len

from emorec import avatar
from emorec.analysis.bias import RESAMPLES, scores_by
from emorec.avatar import synthetic
from emorec.corpora import fer2013, javased, ravdess
from emorec.emotions import COMMON7, fold
from emorec.engines import Network
from emorec.errors import CorpusMissingError
from emorec.evaluation.plots import COLOURS
from emorec.evaluation.scores import prediction_table
from emorec.features.face import standardize_faces
from emorec.features.voice import VOICE
from emorec.media.reader import read_sound
from emorec.media.sound import SoundBlock
from emorec.streams.voice import VoiceStream

RATE_HZ = VOICE.sample_rate_hz


@dataclass(frozen=True)
class Change:
    """One way to make recordings worse, and how far.

    Attributes:
        name: For the title of a curve.
        unit: Of the levels, for its axis.
        levels: From mild to severe.
        apply: (recording, level) -> recording; sound is float32 (n,), faces uint8 (n, size, size).
    """

    name: str
    unit: str
    levels: Sequence[float]
    apply: Callable[[np.ndarray, float], np.ndarray]


def unchanged(recording: np.ndarray) -> np.ndarray:
    """Leave a recording as it is."""
    return recording


def add_noise(samples: np.ndarray, snr_db: float, seed: int = 0) -> np.ndarray:
    """Add white noise.

    Args:
        samples: float32 mono sound (n,).
        snr_db: Power of the sound over that of the noise, in dB, over the whole clip.
        seed: Of the noise.

    Returns:
        float32 (n,).
    """
    noise = np.random.default_rng(seed).normal(size=len(samples))
    power = np.mean(np.square(samples, dtype=np.float64))
    return (samples + noise * np.sqrt(power / 10 ** (snr_db / 10))).astype(np.float32)


def reverberate(
    samples: np.ndarray, sample_rate_hz: int, decay_s: float, seed: int = 0
) -> np.ndarray:
    """Let a room ring: direct sound, then noise that decays exponentially (Polack 1988).

    The tail carries as much energy as the direct sound; the level of the whole stays.

    Args:
        samples: float32 mono sound (n,).
        sample_rate_hz: Its rate.
        decay_s: Time in which the tail falls by 60 dB.
        seed: Of the tail.

    Returns:
        float32 (n,); what rings beyond the end is cut off.
    """
    time_s = np.arange(max(1, round(decay_s * sample_rate_hz))) / sample_rate_hz
    tail = np.random.default_rng(seed).normal(size=len(time_s)) * 10 ** (-3 * time_s / decay_s)
    response = tail / np.sqrt(np.sum(tail**2))
    response[0] += 1.0
    size = next_fast_len(len(samples) + len(response) - 1)
    rung = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size), size)
    rung = rung[: len(samples)]
    level = np.sqrt(np.mean(np.square(samples, dtype=float)) / (np.mean(rung**2) + 1e-12))
    return (rung * level).astype(np.float32)


def band_limit(samples: np.ndarray, sample_rate_hz: int, cutoff_hz: float) -> np.ndarray:
    """Remove everything above a frequency, with a slope one tenth of it wide.

    Args:
        samples: float32 mono sound (n,).
        sample_rate_hz: Its rate.
        cutoff_hz: Where the slope ends.

    Returns:
        float32 (n,).
    """
    frequency_hz = np.fft.rfftfreq(len(samples), 1 / sample_rate_hz)
    gain = np.clip((cutoff_hz - frequency_hz) / (0.1 * cutoff_hz), 0, 1)
    return np.fft.irfft(np.fft.rfft(samples) * gain, len(samples)).astype(np.float32)


def encode_and_decode(
    samples: np.ndarray, sample_rate_hz: int, codec: str, bits_per_s: int
) -> np.ndarray:
    """Send sound through a codec and back, in memory.

    Args:
        samples: float32 mono sound (n,).
        sample_rate_hz: Its rate; the result has it too.
        codec: FFmpeg's name of an encoder that Matroska holds, such as `libopus`.
        bits_per_s: Bit rate asked for.

    Returns:
        float32 (about n,).
    """
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(samples[None], np.float32), "fltp", "mono"
    )
    frame.sample_rate, frame.pts = sample_rate_hz, 0
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        rate_hz = 48_000 if codec == "libopus" else sample_rate_hz
        stream = container.add_stream(codec, rate=rate_hz, layout="mono")
        stream.bit_rate = bits_per_s
        size = stream.frame_size or 1024
        resampler = av.AudioResampler(stream.format.name, "mono", rate_hz, frame_size=size)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    file.seek(0)
    return _decode(file, sample_rate_hz)


def _decode(file: io.BytesIO, sample_rate_hz: int) -> np.ndarray:
    resampler = av.AudioResampler("fltp", "mono", sample_rate_hz)
    with av.open(file) as container:
        pieces = [p for frame in container.decode(audio=0) for p in resampler.resample(frame)]
    pieces += resampler.resample(None)
    return np.concatenate([piece.to_ndarray()[0] for piece in pieces])


def blur(faces: np.ndarray, sigma_share: float) -> np.ndarray:
    """Blur faces.

    Args:
        faces: uint8 (n, size, size).
        sigma_share: Standard deviation of the Gaussian, as a share of the face's width.
    """
    if sigma_share <= 0:
        return faces
    sigma_px = sigma_share * faces.shape[2]
    return np.stack([cv2.GaussianBlur(face, (0, 0), sigma_px) for face in faces])


def darken(faces: np.ndarray, light: float, seed: int = 0) -> np.ndarray:
    """Take light away: what is left drowns in the sensor's noise and in 256 steps.

    Args:
        faces: uint8 (n, size, size).
        light: Share of the light that is left, 0 to 1.
        seed: Of the noise: 2 grey levels of read-out noise, and shot noise that grows with the
            root of the light.
    """
    if light >= 1:
        return faces
    exposed = faces.astype(np.float32) * light
    noise = np.random.default_rng(seed).normal(size=faces.shape)
    noisy = exposed + noise * np.sqrt(2.0**2 + 0.1 * exposed)
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def cover(faces: np.ndarray, share: float, side: str) -> np.ndarray:
    """Lay a plain grey sheet over a part of each face.

    Args:
        faces: uint8 (n, size, size).
        share: Of the picture that is covered, 0 to 1.
        side: From where: "below" (as a mask does), "above" or "left".
    """
    covered, size = faces.copy(), faces.shape[1]
    width = round(share * size)
    place = {
        "below": np.s_[:, size - width :, :],
        "above": np.s_[:, :width, :],
        "left": np.s_[:, :, :width],
    }[side]
    covered[place] = 128
    return covered


Predict = Callable[[Callable[[np.ndarray], np.ndarray]], np.ndarray]
"""Given what is done to each recording, returns the posteriors (n, classes) of all."""


def voice_predictor(network: Network, sounds: Sequence[np.ndarray]) -> Predict:
    """Predict sounds, (n,) float32 each, as the recogniser does; uniform where all is silent."""
    classes = len(network.spec.classes)

    def posterior(sound: np.ndarray) -> np.ndarray:
        stream = VoiceStream(network)
        stream.add(SoundBlock(0.0, sound))
        found = stream.finish()
        return np.full(classes, 1 / classes) if found is None else found.pooled

    # Kept, for every curve begins with the clean recordings.
    return cache(lambda step: np.stack([posterior(step(sound)) for sound in sounds]))


def face_predictor(network: Network, faces: np.ndarray, batch: int = 64) -> Predict:
    """Predict grey faces, uint8 (n, size, size); a step changes all of them at once."""

    @cache
    def predict(step: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        changed = step(faces)
        parts = [changed[start : start + batch] for start in range(0, len(changed), batch)]
        return np.concatenate([network.predict(standardize_faces(part)) for part in parts])

    return predict


def sound_clips(count: int, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Draw clips of the corpora at hand, by what the shipped voice knows of their speakers.

    Args:
        count: Clips of each corpus.
        seed: Of the draw.

    Returns:
        Label -> `path`, `clip_id`, `speaker`, `emotion` in `COMMON7`. Made-up voices, and a label
        that says so, where a corpus is missing.
    """
    try:
        tables = {
            "RAVDESS (trained on)": ravdess.load_sound_table(),
            "JavaSED (never met)": javased.load_video_table(),
        }
    except CorpusMissingError:
        with tempfile.TemporaryDirectory() as folder:
            paths = avatar.make_sound_corpus(folder, [1, 2], avatar.all_takes()[::5])
            sounds = [read_sound(path, RATE_HZ) for path in paths]
            table = ravdess.load_sound_table(Path(folder)).assign(sound=sounds)
        tables = {"MADE-UP voices": table}
    drawn = {}
    for label, table in tables.items():
        table = table.sample(min(count, len(table)), random_state=seed).reset_index(drop=True)
        drawn[label] = table.assign(emotion=table["emotion"].replace("calm", "neutral"))
        if "sound" not in table:
            drawn[label]["sound"] = [read_sound(path, RATE_HZ) for path in table["path"]]
    return drawn


def face_pictures(count: int, seed: int = 0) -> tuple[str, pd.DataFrame, np.ndarray]:
    """Draw FER-2013 PublicTest pictures; made-up faces where the corpus is missing.

    Returns:
        Label; `clip_id`, `speaker` (each picture its own), `emotion`; uint8 (n, 48, 48).
    """
    try:
        label, (table, pixels) = "FER-2013 PublicTest", fer2013.load_fer2013()
    except CorpusMissingError:
        label, (table, pixels) = "MADE-UP faces", synthetic.synthetic_faces(5 * min(count, 40))
    rows = np.flatnonzero(table["usage"] == "PublicTest")
    rows = np.random.default_rng(seed).permutation(rows)[:count]
    table = table.iloc[rows].reset_index(drop=True)
    return label, table.assign(emotion=table["label"], speaker=table["clip_id"]), pixels[rows]


SOUND_CHANGES = (
    Change("White noise", "signal to noise (dB)", (40, 30, 20, 10, 0), add_noise),
    Change(
        "Reverberation",
        "decay by 60 dB (s)",
        (0.2, 0.5, 1.0, 2.0),
        lambda sound, decay_s: reverberate(sound, RATE_HZ, decay_s),
    ),
    Change(
        "Band limit",
        "highest frequency (kHz)",
        (5.5, 4.0, 3.0, 2.0, 1.0),
        lambda sound, khz: band_limit(sound, RATE_HZ, 1000 * khz),
    ),
    Change(
        "Codec (Opus)",
        "bit rate (kbit/s)",
        (32, 16, 8, 6),
        lambda sound, kbit: encode_and_decode(sound, RATE_HZ, "libopus", 1000 * kbit),
    ),
)
"""For sound at the voice network's rate."""

_COVERED = (10, 20, 30, 40, 50)

FACE_CHANGES = (
    Change("Blur", "deviation (% of face width)", (1, 2, 4, 6, 8), lambda f, x: blur(f, x / 100)),
    Change("Darkness", "light left (%)", (50, 20, 10, 5, 2), lambda f, x: darken(f, x / 100)),
    *(
        Change(
            f"Covered from {place}",
            "covered (% of the picture)",
            _COVERED,
            lambda faces, percent, side=side: cover(faces, percent / 100, side),
        )
        for side, place in (("below", "below"), ("above", "above"), ("left", "the left"))
    ),
)
"""For grey faces."""


def curve(
    change: Change,
    clips: pd.DataFrame,
    predict: Predict,
    classes: Sequence[str],
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """Measure accuracy in the seven common classes at each level of a change.

    Args:
        change: What is done to the recordings.
        clips: `clip_id`, `speaker`, `emotion` (in `COMMON7`).
        predict: From `voice_predictor` or `face_predictor`.
        classes: Of the posteriors.
        resamples: For the intervals, over speakers.

    Returns:
        One row per level, the first of which is "clean": `level`, `accuracy`, `low`, `high`.
    """
    steps = {"clean": unchanged}
    for level in change.levels:
        steps[f"{level:g}"] = lambda recording, level=level: change.apply(recording, level)
    rows = []
    for level, step in steps.items():
        posterior = fold(predict(step), classes, COMMON7)
        table = prediction_table(clips, posterior, COMMON7, 0)
        everyone = pd.Series("all", index=table.index)
        found = scores_by(table, everyone, resamples).loc["all", ["accuracy", "low", "high"]]
        rows.append({"level": level, **found})
    return pd.DataFrame(rows)


def plot_curves(axes: Axes, curves: Mapping[str, pd.DataFrame], change: Change) -> None:
    """Draw accuracy against the level of a change, one line and its interval for each label."""
    for i, (label, table) in enumerate(curves.items()):
        places = np.arange(len(table))
        axes.plot(places, 100 * table["accuracy"], "o-", ms=4, color=COLOURS[i], label=label)
        low, high = 100 * table["low"], 100 * table["high"]
        axes.fill_between(places, low, high, color=COLOURS[i], alpha=0.2, lw=0)
    axes.set_xticks(range(len(table)), table["level"])
    axes.set(ylim=(0, 100), xlabel=change.unit, ylabel="accuracy (%)", title=change.name)
    axes.grid(axis="y", alpha=0.3)
