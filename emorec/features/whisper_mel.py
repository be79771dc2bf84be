"""From sound to the input of Whisper's encoder, in NumPy (Radford et al. 2022).

Its log-mel differs from `emorec.features.voice.log_mel` in sizes, in scale and at the edges: the
beginning is mirrored, behind the end lies silence, and the frame centred on the end is left out.
"""

import numpy as np

from emorec.features.voice import LogMelSetting, mel_power

WHISPER = LogMelSetting(16_000, 400, 160, 80, 0, 8_000)
"""Whisper's setting: three seconds give 80 x 300."""

_SMALLEST_POWER = 1e-10
_DYNAMIC_RANGE_LOG10 = 8.0


def whisper_log_mel(samples: np.ndarray) -> np.ndarray:
    """Return the log-mel spectrogram as Whisper scales it.

    Args:
        samples: float32 mono sound at 16 kHz, shape (n,), at least one hop (10 ms) long.

    Returns:
        float32 array, shape (80, n // 160): log10 of the power, clipped to 8 below its maximum,
        plus 4, divided by 4.

    Raises:
        ValueError: If the sound is shorter than one hop.

    Example:
        >>> whisper_log_mel(np.zeros(48_000, np.float32)).shape
        (80, 300)
    """
    samples = np.asarray(samples, np.float32)
    if len(samples) < WHISPER.hop:
        raise ValueError(
            f"{len(samples)} samples are less than a frame of Whisper's encoder ({WHISPER.hop}). "
            "Remedy: pad the sound with silence."
        )
    half = WHISPER.n_fft // 2
    # Sound shorter than what is mirrored is itself followed by silence.
    mirrored = np.pad(samples, (0, max(0, half + 1 - len(samples))))[half:0:-1]
    padded = np.concatenate([mirrored, samples, np.zeros(half, np.float32)])
    frames = len(samples) // WHISPER.hop
    log10 = np.log10(np.maximum(mel_power(padded, WHISPER)[:, :frames], _SMALLEST_POWER))
    return (np.maximum(log10, log10.max() - _DYNAMIC_RANGE_LOG10) + 4) / 4
