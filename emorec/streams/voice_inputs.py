"""What each kind of voice model hears of a window of sound, as its `model.json` says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from emorec.engines import ModelSpec
from emorec.errors import require
from emorec.features import voice as voice_features
from emorec.features.whisper_mel import WHISPER, encoder_input

__all__ = ["VOICE_INPUTS", "VoiceInput", "input_of", "means_26_spec", "whisper_log_mel_spec"]

LOG_MEL, MEANS_26, WHISPER_LOG_MEL = "log_mel", "means_26", "whisper_log_mel"


@dataclass(frozen=True)
class VoiceInput:
    """How sound becomes a model's input.

    Attributes:
        sample_rate_hz: Rate that the sound is wanted at.
        shape: Of the input of one window; None is any length.
        make: From a window, float32 (n,), to that input, float32.
    """

    sample_rate_hz: int
    shape: tuple[int | None, ...]
    make: Callable[[np.ndarray], np.ndarray]

    @property
    def windows_per_batch(self) -> int:
        """How many windows a network is given at once.

        One where their length varies: such networks gain nothing from more, and one whose
        activations are rounded to the range of a batch would hear a window by its neighbours.
        """
        return 1 if None in self.shape else _WINDOWS_PER_BATCH


_WINDOWS_PER_BATCH = 8


def _log_mel() -> VoiceInput:
    samples = round(voice_features.WINDOW_S * voice_features.VOICE.sample_rate_hz)
    shape = (voice_features.VOICE.bands, voice_features.VOICE.frames(samples), 1)
    return VoiceInput(voice_features.VOICE.sample_rate_hz, shape, voice_features.voice_input)


def _means_26() -> VoiceInput:
    # Imported here, for the shipped voice network does without SciPy.
    from emorec.features import voice_classical

    return VoiceInput(
        voice_classical.SAMPLE_RATE_HZ,
        (len(voice_classical.MEANS_26),),
        lambda window: voice_classical.means_26(voice_classical.remove_silence(window)),
    )


def _whisper_log_mel() -> VoiceInput:
    return VoiceInput(WHISPER.sample_rate_hz, (WHISPER.bands, None), encoder_input)


VOICE_INPUTS: dict[str, Callable[[], VoiceInput]] = {
    LOG_MEL: _log_mel,
    MEANS_26: _means_26,
    WHISPER_LOG_MEL: _whisper_log_mel,
}
"""Kind of input, `inputs.kind` of a `model.json` -> what makes it; log-mel where none is named."""


def input_of(spec: ModelSpec) -> VoiceInput:
    """Return how sound becomes the input of a voice model.

    Raises:
        ValueError: If the description names a kind that is not known here, features of
            another version, or a spectrogram of other sizes.
        MissingPartError: If the kind needs a package that is not installed.

    Example:
        >>> input_of(ModelSpec("voice", ("happy", "sad"))).shape
        (96, 188, 1)
    """
    kind = spec.inputs.get("kind", LOG_MEL)
    if kind not in VOICE_INPUTS:
        raise ValueError(f"it reads {kind!r}, and known are {', '.join(VOICE_INPUTS)}")
    if kind == MEANS_26:
        require("train", "librosa", "scipy")
        from emorec.features.voice_classical import VERSION

        version = spec.inputs.get("version")
        if version != VERSION:
            raise ValueError(f"it reads features of version {version!r}, and these are {VERSION!r}")
    if kind == WHISPER_LOG_MEL:
        _check_sizes(spec.inputs, whisper_log_mel_spec())
    return VOICE_INPUTS[kind]()


def _check_sizes(described: dict, made: dict) -> None:
    """Raise ValueError where a description wants another spectrogram than is made."""
    for name, value in made.items():
        if described.get(name) != value:
            found = described.get(name)
            raise ValueError(f"it reads sound with {name} = {found!r}, and {value!r} is made here")


def whisper_log_mel_spec() -> dict:
    """Return the `inputs` of a `model.json` for a network on Whisper's log-mel."""
    return {
        "kind": WHISPER_LOG_MEL,
        "sample_rate_hz": WHISPER.sample_rate_hz,
        "window_s": voice_features.WINDOW_S,
        "n_fft": WHISPER.n_fft,
        "hop": WHISPER.hop,
        "bands": WHISPER.bands,
    }


def means_26_spec() -> dict:
    """Return the `inputs` of a `model.json` for a model on the 26 means."""
    from emorec.features import voice_classical

    return {
        "kind": MEANS_26,
        "version": voice_classical.VERSION,
        "sample_rate_hz": voice_classical.SAMPLE_RATE_HZ,
        "window_s": voice_features.WINDOW_S,
        "n_fft": voice_classical.N_FFT,
        "hop": voice_classical.HOP,
        "silence_db": voice_classical.SILENCE_DB,
        "columns": list(voice_classical.MEANS_26),
    }
