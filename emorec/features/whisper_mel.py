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


_BLOCK_S = 0.02
_SILENCE_BELOW_PEAK_DB = 35.0
_MARGIN_S = 0.1
_SHORTEST_S = 0.2
_LEVEL = 0.07


def trim_silence(
    samples: np.ndarray,
    below_peak_db: float = _SILENCE_BELOW_PEAK_DB,
    margin_s: float = _MARGIN_S,
) -> np.ndarray:
    """Cut off what is quiet before and after the speech.

    Args:
        samples: float32 mono sound at 16 kHz, shape (n,).
        below_peak_db: Blocks of 20 ms that are further below the loudest count as quiet.
        margin_s: How much of the quiet stays on each side.

    Returns:
        A view of the rest; sound that is too short to tell is returned as it is.
    """
    block, margin = (
        round(_BLOCK_S * WHISPER.sample_rate_hz),
        round(margin_s * WHISPER.sample_rate_hz),
    )
    blocks = len(samples) // block
    if blocks < 3:
        return samples
    power = np.square(samples[: blocks * block].reshape(blocks, block), dtype=np.float64).mean(1)
    heard = np.flatnonzero(power > power.max() * 10 ** (-below_peak_db / 10))
    if not len(heard):
        return samples
    return samples[max(0, heard[0] * block - margin) : (heard[-1] + 1) * block + margin]


def to_level(samples: np.ndarray) -> np.ndarray:
    """Scale sound to one root mean square, so that the loudness of a recording is no cue."""
    rms = np.sqrt(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return (samples * (_LEVEL / (rms + 1e-6))).astype(np.float32)


def encoder_input(samples: np.ndarray) -> np.ndarray:
    """Return what the voice encoder reads of a stretch of sound: trimmed, levelled, as log-mel.

    Args:
        samples: float32 mono sound at 16 kHz, shape (n,); up to ten seconds.

    Returns:
        float32 array, shape (80, frames); at least 20 frames, padded with silence.
    """
    speech = to_level(trim_silence(np.asarray(samples, np.float32)))
    shortest = round(_SHORTEST_S * WHISPER.sample_rate_hz)
    return whisper_log_mel(np.pad(speech, (0, max(0, shortest - len(speech)))))
