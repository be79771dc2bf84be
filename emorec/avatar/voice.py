"""A made-up voice: glottal pulses and noise, shaped by the resonances of a vocal tract.

The source-filter model of speech (Fant 1960): a train of Rosenberg pulses (Rosenberg
1971) with jitter and shimmer, plus breath and friction noise, filtered frame by frame
with the formants of the vowel being spoken. NumPy is all it needs.
"""

from dataclasses import dataclass

import numpy as np

from emorec.avatar.actor import Actor

SAMPLE_RATE_HZ = 48_000
_FRAME, _HOP = 2048, 480
HOP_S = _HOP / SAMPLE_RATE_HZ
_BANDWIDTHS_HZ = (80, 100, 140, 200, 260)


@dataclass(frozen=True)
class Syllable:
    """One syllable: a consonant, then a vowel that may glide.

    Attributes:
        noise_hz: Centre of the consonant's noise; 0 where it has none.
        noise_level: Loudness of that noise against the vowel, 0-1.
        formants_hz: First three formants at the start of the vowel.
        glide_hz: The same at its end.
        opening: How far the mouth opens, 0-1.
        rounding: How far the lips round, 0-1.
        length: Length against an average syllable.
    """

    noise_hz: float
    noise_level: float
    formants_hz: tuple[float, float, float]
    glide_hz: tuple[float, float, float]
    opening: float
    rounding: float
    length: float


_IH, _AH, _ER = (400, 1950, 2550), (720, 1150, 2500), (500, 1400, 2300)
_AO, _EE, _AW = (600, 900, 2450), (300, 2250, 2950), (640, 1000, 2450)
_KIDS = Syllable(2200, 0.25, _IH, _IH, 0.5, 0.0, 1.1)
_DOGS = Syllable(350, 0.1, _AW, _AW, 0.9, 0.3, 1.2)
_ARE = Syllable(0, 0.0, _AH, _ER, 0.8, 0.0, 0.7)
_TALK = Syllable(4200, 0.35, _AW, _AO, 0.9, 0.4, 1.2)
_SIT = Syllable(6800, 0.5, _IH, _IH, 0.5, 0.0, 1.0)
_ING = Syllable(0, 0.0, _IH, _EE, 0.4, 0.0, 0.8)
_BY = Syllable(400, 0.1, _AH, _EE, 1.0, 0.0, 1.2)
_THE = Syllable(500, 0.05, _ER, _ER, 0.4, 0.0, 0.6)
_DOOR = Syllable(3000, 0.15, _AO, (480, 1150, 1900), 0.8, 0.7, 1.6)

STATEMENTS: dict[int, tuple[Syllable, ...]] = {
    1: (_KIDS, _ARE, _TALK, _ING, _BY, _THE, _DOOR),
    2: (_DOGS, _ARE, _SIT, _ING, _BY, _THE, _DOOR),
}
"""RAVDESS's statements: kids are talking, dogs are sitting, by the door."""


@dataclass(frozen=True)
class Prosody:
    """How an emotion sounds.

    Attributes:
        pitch_st: Mean pitch above the actor's own, in semitones.
        range_st: Rise and fall of the melody, in semitones.
        slope_st: Drift of the pitch from the first to the last syllable, in semitones.
        rate: Syllables a second.
        level_db: Loudness of the loudest syllables, in decibels below full scale.
        tension: 0 soft and dull to 1 pressed and bright; a shout goes beyond 1.
        breath: Share of breath noise, 0-1.
        jitter: Irregularity of the pitch periods, as a fraction.
        tremor_st: Trembling of the pitch at 7 Hz, in semitones.
        accent: How much the stressed syllables stand out in loudness, 0-1.
    """

    pitch_st: float
    range_st: float
    slope_st: float
    rate: float
    level_db: float
    tension: float
    breath: float
    jitter: float
    tremor_st: float
    accent: float


PROSODIES: dict[str, Prosody] = {
    "neutral": Prosody(0, 2.0, -1.5, 4.6, -35, 0.35, 0.06, 0.006, 0.0, 0.3),
    "calm": Prosody(-0.5, 2.5, -2.5, 3.6, -36, 0.22, 0.10, 0.005, 0.0, 0.3),
    "happy": Prosody(6, 8.0, 1.0, 4.3, -18, 0.65, 0.05, 0.006, 0.0, 0.6),
    "sad": Prosody(2.5, 4.0, -5.0, 3.3, -27, 0.3, 0.18, 0.018, 0.8, 0.2),
    "angry": Prosody(5, 9.0, -4.0, 4.0, -6, 1.2, 0.04, 0.016, 0.0, 0.9),
    "fear": Prosody(11, 4.5, 1.0, 4.6, -14, 0.6, 0.16, 0.018, 0.7, 0.4),
    "disgust": Prosody(0, 7.0, -5.0, 3.5, -24, 0.6, 0.12, 0.020, 0.0, 0.7),
    "surprise": Prosody(5, 11.0, 9.0, 4.9, -22, 0.5, 0.08, 0.007, 0.0, 0.5),
}
"""The prosody of each emotion at strong intensity."""


@dataclass(frozen=True)
class Speech:
    """A spoken statement and the movements of the mouth that go with it.

    Attributes:
        sound: float32 (n_samples,), mono at SAMPLE_RATE_HZ, -1 to 1.
        opening: float32 (n_hops,), how far the mouth is open, 0-1, each HOP_S.
        rounding: float32 (n_hops,), how far the lips are rounded, 0-1, each HOP_S.
        start_s: When the first syllable begins.
        end_s: When the last syllable ends.
    """

    sound: np.ndarray
    opening: np.ndarray
    rounding: np.ndarray
    start_s: float
    end_s: float


def _at_intensity(emotion: str, intensity: int) -> Prosody:
    """Return the prosody of an emotion; intensity 1 lies nearer to neutral than 2."""
    strong, rest = PROSODIES[emotion], PROSODIES["neutral"]
    if intensity == 2:
        return strong
    mix = {name: 0.3 * getattr(rest, name) + 0.7 * value for name, value in vars(strong).items()}
    return Prosody(**mix)


def _smooth(values: np.ndarray, length_s: float) -> np.ndarray:
    """Smooth a curve sampled each HOP_S with a Hann window of the given length."""
    window = np.hanning(max(3, round(length_s / HOP_S)) + 2)
    padded = np.pad(values, len(window) // 2, mode="edge")
    return np.convolve(padded, window / window.sum(), "same")[len(window) // 2 :][: len(values)]


def _tracks(statement, prosody, actor, start_s, n_hops, rng) -> dict[str, np.ndarray]:
    """Lay out a statement over time: one value per hop for everything that moves.

    Returns:
        ``voiced``, ``noise``, ``noise_hz``, ``pitch_st``, ``opening`` and ``rounding``,
        (n_hops,) each, ``formants_hz`` (n_hops, 3), and ``end_s``, a scalar array.
    """
    tracks = {name: np.zeros(n_hops) for name in ("voiced", "noise", "opening", "rounding")}
    tracks["noise_hz"] = np.full(n_hops, 3000.0)
    tracks["pitch_st"] = np.full(n_hops, np.nan)
    tracks["formants_hz"] = np.full((n_hops, 3), np.nan)
    time = start_s
    for index, syllable in enumerate(statement):
        length_s = syllable.length / prosody.rate * rng.uniform(0.92, 1.08)
        first = round(time / HOP_S)
        hops = min(round(length_s / HOP_S), n_hops - first)
        span = slice(first, first + hops)
        t = np.linspace(0, 1, hops)
        stressed = syllable.length > 1
        loud = 1.0 if stressed else 1 - 0.6 * prosody.accent
        onset = 0.30 if syllable.noise_hz else 0.05
        voiced = np.clip((t - onset) / 0.12, 0, 1) * np.clip((1.02 - t) / 0.25, 0.06, 1)
        if syllable.noise_level < 0.3:
            voiced = np.maximum(voiced, 0.06)
        tracks["voiced"][span] = loud * voiced * (1 - 0.25 * (index == len(statement) - 1) * t)
        if syllable.noise_hz:
            burst = np.exp(-(((t - 0.16) / 0.10) ** 2))
            tracks["noise"][span] = syllable.noise_level * loud * burst
            tracks["noise_hz"][span] = syllable.noise_hz
        arch = np.sin(np.pi * np.clip(t, 0, 1)) ** 2
        melody = prosody.range_st * (0.5 if stressed else -0.25) * arch
        drift = prosody.slope_st * ((index + t) / len(statement) - 0.5)
        tracks["pitch_st"][span] = prosody.pitch_st + melody + drift
        start, end = np.array(syllable.formants_hz), np.array(syllable.glide_hz)
        tracks["formants_hz"][span] = start + (end - start) * np.clip(t * 1.4 - 0.3, 0, 1)[:, None]
        tracks["opening"][span] = syllable.opening * np.sin(np.pi * np.clip(t * 0.95, 0, 1)) ** 0.8
        tracks["rounding"][span] = syllable.rounding
        time += length_s
    spoken = np.flatnonzero(~np.isnan(tracks["pitch_st"]))
    hops = np.arange(n_hops)
    tracks["pitch_st"] = np.interp(hops, spoken, tracks["pitch_st"][spoken])
    tracks["formants_hz"] = np.stack(
        [_smooth(np.interp(hops, spoken, f[spoken]), 0.06) for f in tracks["formants_hz"].T], 1
    )
    seconds = hops * HOP_S
    tracks["pitch_st"] = _smooth(tracks["pitch_st"], 0.08) + prosody.tremor_st * np.sin(
        2 * np.pi * 7.2 * seconds
    )
    for name, length_s in (("voiced", 0.03), ("opening", 0.09), ("rounding", 0.16)):
        tracks[name] = _smooth(tracks[name], length_s)
    tracks["formants_hz"] *= actor.tract
    tracks["end_s"] = np.array(time)
    return tracks


def _glottal_pulses(f0_hz: np.ndarray, prosody: Prosody, rng: np.random.Generator) -> np.ndarray:
    """Make the flow derivative of Rosenberg pulses, with jitter and shimmer.

    Args:
        f0_hz: float (n_samples,), pitch at every sample.
        prosody: Gives the shape of the pulses: tense voices close the glottis sooner.
        rng: Draws jitter and shimmer.

    Returns:
        float (n_samples,), of about unit power.
    """
    cycles = int(f0_hz.sum() / SAMPLE_RATE_HZ) + 2
    phase = np.cumsum(f0_hz) / SAMPLE_RATE_HZ
    # Jitter bends the phase at the cycle marks, shimmer scales whole cycles.
    bent = np.arange(cycles) + np.clip(rng.normal(0, prosody.jitter, cycles), -0.2, 0.2)
    phase = np.interp(phase, np.arange(cycles), bent)
    number = np.clip(phase.astype(int), 0, cycles - 1)
    gain = 1 + rng.normal(0, 3 * prosody.jitter, cycles)
    phase = phase - np.floor(phase)
    opening, closing = 0.46 - 0.1 * prosody.tension, 0.26 - 0.14 * prosody.tension
    rising = np.sin(np.pi * np.clip(phase / opening, 0, 1)) * (np.pi / 2) / opening
    falling_phase = np.clip((phase - opening) / closing, 0, 1)
    falling = -np.sin(np.pi / 2 * falling_phase) * (np.pi / 2) / closing
    falling = np.where((falling_phase > 0) & (falling_phase < 1), falling, 0)
    pulses = gain[number] * np.where(phase < opening, rising, falling)
    return pulses / np.sqrt(np.mean(pulses**2))


def _tract_response(formants_hz: np.ndarray, actor: Actor, tension: float) -> np.ndarray:
    """Return the frequency response of vocal tract and voice quality.

    Args:
        formants_hz: float (n_hops, 3), the first three formants.
        actor: Gives the formants above them.
        tension: See Prosody; lax voices lose their high frequencies.

    Returns:
        complex (n_hops, n_bins).
    """
    frequency = np.fft.rfftfreq(_FRAME, 1 / SAMPLE_RATE_HZ)[None, :]
    higher = np.arange(3600, 16_000, 1050) * actor.tract
    dull_hz = 900 * 2 ** (3.3 * tension)
    response = np.repeat(1 / (1 + 1j * frequency / dull_hz), len(formants_hz), axis=0)
    response *= (1 + 1j * frequency / 900) / (1 + 1j * frequency / 2200)
    for index in range(3 + len(higher)):
        centre = formants_hz[:, index, None] if index < 3 else higher[index - 3]
        bandwidth = _BANDWIDTHS_HZ[index] if index < 5 else 0.06 * higher[index - 3]
        response *= centre**2 / (centre**2 - frequency**2 + 1j * bandwidth * frequency)
    return response


def _noise_response(centre_hz: np.ndarray) -> np.ndarray:
    """Return the spectrum of a consonant's noise: float (n_hops, n_bins)."""
    frequency = np.fft.rfftfreq(_FRAME, 1 / SAMPLE_RATE_HZ)[None, :]
    octaves = np.log2(np.maximum(frequency, 20) / centre_hz[:, None])
    return np.exp(-((octaves / 1.1) ** 2))


def _flutter(n_hops: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the small uneven changes of a living voice: gains, float (n_hops, n_bins)."""
    frequency = np.fft.rfftfreq(_FRAME, 1 / SAMPLE_RATE_HZ)
    knots = np.geomspace(80, 24_000, 40)
    gains_db = rng.normal(0, 4.0, (n_hops, len(knots)))
    at_bins = [np.interp(frequency, knots, gains) for gains in gains_db]
    return 10 ** (np.array(at_bins) / 20)


def _air_response(n_hops: int) -> np.ndarray:
    """Return the spectrum of the rush of air that goes with any voice, above 3 kHz."""
    frequency = np.fft.rfftfreq(_FRAME, 1 / SAMPLE_RATE_HZ)[None, :]
    rise = (frequency / 3000) ** 2 / (1 + (frequency / 3000) ** 2)
    return np.repeat(rise / (1 + (frequency / 15_000) ** 8), n_hops, axis=0)


def _filter_frames(source: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Filter a sound with a response that changes each hop, by weighted overlap-add.

    Args:
        source: float (n_samples,).
        response: (n_hops, _FRAME / 2 + 1).

    Returns:
        float (n_samples,).
    """
    window = np.sqrt(np.hanning(_FRAME + 1)[:-1])
    padded = np.pad(source, _FRAME)
    starts = np.arange(len(response)) * _HOP + _FRAME // 2
    frames = padded[starts[:, None] + np.arange(_FRAME)] * window
    frames = np.fft.irfft(np.fft.rfft(frames, axis=1) * response, axis=1) * window
    out = np.zeros(len(padded) + _FRAME)
    for start, frame in zip(starts, frames, strict=True):
        out[start : start + _FRAME] += frame
    return out[_FRAME : _FRAME + len(source)] * (2 * _HOP / _FRAME)


def synthesise_voice(
    actor: Actor, emotion: str, intensity: int = 2, statement: int = 1, seed: int = 0
) -> Speech:
    """Speak one of RAVDESS's two statements with an emotion.

    Args:
        actor: Whose voice.
        emotion: One of PROSODIES.
        intensity: 1 normal or 2 strong.
        statement: 1 (kids are talking by the door) or 2 (dogs are sitting by the door).
        seed: The take: the same seed gives the same sound.

    Returns:
        The sound and the mouth's movements. A clip is about 3 to 3.8 seconds long; the
        speech begins after about 0.8 seconds, as in RAVDESS.

    Raises:
        KeyError: If the emotion or the statement is unknown.
    """
    rng = np.random.default_rng([actor.number, seed, intensity, statement, *emotion.encode()])
    prosody = _at_intensity(emotion, intensity)
    syllables = STATEMENTS[statement]
    start_s = rng.uniform(0.7, 0.9)
    expected_s = sum(syllable.length for syllable in syllables) / prosody.rate
    n_hops = round((start_s + 1.08 * expected_s + 0.5) / HOP_S)
    n_samples = n_hops * _HOP
    tracks = _tracks(syllables, prosody, actor, start_s, n_hops, rng)

    at_hop = np.arange(n_hops) * _HOP
    at_sample = np.arange(n_samples)
    f0_hz = actor.pitch_hz * 2 ** (np.interp(at_sample, at_hop, tracks["pitch_st"]) / 12)
    pulses = _glottal_pulses(f0_hz, prosody, rng)
    # Breath is blown through the glottis while it is open.
    breath = rng.normal(size=n_samples) * (0.4 + 0.6 * np.abs(pulses) / 1.5)
    source = (1 - prosody.breath) * pulses + 2.0 * prosody.breath * breath
    tract = _tract_response(tracks["formants_hz"], actor, prosody.tension)
    voice = _filter_frames(source, tract * _flutter(n_hops, rng))
    friction = _filter_frames(rng.normal(size=n_samples), _noise_response(tracks["noise_hz"]))
    friction /= friction.std()
    air = _filter_frames(rng.normal(size=n_samples), _air_response(n_hops))
    air /= air.std()
    voice *= np.interp(at_sample, at_hop, tracks["voiced"])
    friction *= np.interp(at_sample, at_hop, _smooth(tracks["noise"], 0.03))
    effort = np.interp(at_sample, at_hop, _smooth(tracks["voiced"], 0.05))
    loudness = np.sqrt(np.mean(voice[tracks["voiced"].repeat(_HOP) > 0.3] ** 2))
    mixed = (
        voice / loudness
        + (0.3 + 0.5 * prosody.tension) * friction
        + 0.018 * (0.5 + 1.5 * prosody.tension) * air * effort**0.6
    )
    sound = _to_level(mixed, prosody.level_db) + rng.normal(0, 3e-6, n_samples)
    return Speech(
        sound=sound.astype(np.float32),
        opening=tracks["opening"].astype(np.float32),
        rounding=tracks["rounding"].astype(np.float32),
        start_s=start_s,
        end_s=float(tracks["end_s"]),
    )


def _to_level(sound: np.ndarray, level_db: float) -> np.ndarray:
    """Scale a sound so that its loudest 10 ms have the given RMS; peaks bend softly."""
    frames = sound[: len(sound) // _HOP * _HOP].reshape(-1, _HOP)
    loudest = np.sqrt((frames**2).mean(1)).max()
    scaled = sound * 10 ** (level_db / 20) / loudest
    return np.where(
        np.abs(scaled) > 0.8,
        np.sign(scaled) * (0.8 + 0.19 * np.tanh((np.abs(scaled) - 0.8) / 0.19)),
        scaled,
    )
