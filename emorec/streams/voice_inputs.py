"""What each kind of voice model hears of a window of sound, as its `model.json` says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from emorec.engines import ModelSpec
from emorec.errors import require
from emorec.features import voice as voice_features

__all__ = ["VOICE_INPUTS", "VoiceInput", "input_of", "means_26_spec"]

LOG_MEL, MEANS_26 = "log_mel", "means_26"


@dataclass(frozen=True)
class VoiceInput:
    """How sound becomes a model's input.

    Attributes:
        sample_rate_hz: Rate that the sound is wanted at.
        shape: Of the input of one window.
        make: From a window, float32 (n,), to that input, float32.
    """

    sample_rate_hz: int
    shape: tuple[int, ...]
    make: Callable[[np.ndarray], np.ndarray]


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


VOICE_INPUTS: dict[str, Callable[[], VoiceInput]] = {LOG_MEL: _log_mel, MEANS_26: _means_26}
"""Kind of input, `inputs.kind` of a `model.json` -> what makes it; log-mel where none is named."""


def input_of(spec: ModelSpec) -> VoiceInput:
    """Return how sound becomes the input of a voice model.

    Raises:
        ValueError: If the description names a kind that is not known here, or features of
            another version.
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
    return VOICE_INPUTS[kind]()


def means_26_spec() -> dict:
    """Return the `inputs` of a `model.json` for a model on the 26 means."""
    from emorec.features import voice_classical

    return {
        "kind": MEANS_26,
        "version": voice_classical.VERSION,
        "sample_rate_hz": voice_classical.SAMPLE_RATE_HZ,
        "window_s": voice_features.WINDOW_S,
        "window_hop_s": voice_features.WINDOW_HOP_S,
        "n_fft": voice_classical.N_FFT,
        "hop": voice_classical.HOP,
        "silence_db": voice_classical.SILENCE_DB,
        "columns": list(voice_classical.MEANS_26),
    }
