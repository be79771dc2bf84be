"""What each kind of voice model hears of a window of sound, as its `model.json` says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from emorec import speech
from emorec.engines import ModelSpec

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
    samples = round(speech.WINDOW_S * speech.VOICE.sample_rate_hz)
    shape = (speech.VOICE.bands, speech.VOICE.frames(samples), 1)
    return VoiceInput(speech.VOICE.sample_rate_hz, shape, speech.voice_input)


def _means_26() -> VoiceInput:
    # Imported here, for the shipped voice network does without SciPy.
    from emorec import voice_features

    return VoiceInput(
        voice_features.SAMPLE_RATE_HZ,
        (len(voice_features.MEANS_26),),
        lambda window: voice_features.means_26(voice_features.remove_silence(window)),
    )


VOICE_INPUTS: dict[str, Callable[[], VoiceInput]] = {LOG_MEL: _log_mel, MEANS_26: _means_26}
"""Kind of input, `inputs.kind` of a `model.json` -> what makes it; log-mel where none is named."""


def input_of(spec: ModelSpec) -> VoiceInput:
    """Return how sound becomes the input of a voice model.

    Raises:
        ValueError: If the description names a kind that is not known here, or features of
            another version.

    Example:
        >>> input_of(ModelSpec("voice", ("happy", "sad"))).shape
        (96, 188, 1)
    """
    kind = spec.inputs.get("kind", LOG_MEL)
    if kind not in VOICE_INPUTS:
        raise ValueError(f"it reads {kind!r}, and known are {', '.join(VOICE_INPUTS)}")
    if kind == MEANS_26:
        from emorec.voice_features import VERSION

        version = spec.inputs.get("version")
        if version != VERSION:
            raise ValueError(f"it reads features of version {version!r}, and these are {VERSION!r}")
    return VOICE_INPUTS[kind]()


def means_26_spec() -> dict:
    """Return the `inputs` of a `model.json` for a model on the 26 means."""
    from emorec import voice_features

    return {
        "kind": MEANS_26,
        "version": voice_features.VERSION,
        "sample_rate_hz": voice_features.SAMPLE_RATE_HZ,
        "window_s": speech.WINDOW_S,
        "window_hop_s": speech.WINDOW_HOP_S,
        "n_fft": voice_features.N_FFT,
        "hop": voice_features.HOP,
        "silence_db": voice_features.SILENCE_DB,
        "columns": list(voice_features.MEANS_26),
    }
