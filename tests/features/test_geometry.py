"""Landmark tracks: resampling, alignment, windows, augmentation, the network."""

import os
import zipfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from emorec.corpora import ravdess
from emorec.emotions import RAVDESS8
from emorec.evaluation import evidence
from emorec.features import geometry as geometry_features
from emorec.media.pacing import Pace
from emorec.networks import geometry as geometry_network
from emorec.networks.geometry import assemble, build_head, build_statistics
from emorec.paths import MODELS
from emorec.posteriors import log_mean
from emorec.training import augment_geometry

SHIPPED = MODELS / "geometry"

FRAMES = geometry_features.WINDOW_FRAMES


def make_face(rng, eye_distance_px=140.0):
    """A face-like set of points whose eyes are level."""
    points = rng.uniform(-1, 1, (68, 2))
    points[36:42] = np.array([-0.5, 0]) + rng.normal(0, 0.05, (6, 2))
    points[42:48] = np.array([0.5, 0]) + rng.normal(0, 0.05, (6, 2))
    return (points * eye_distance_px + [640, 360]).astype(np.float32)


def make_track(rng, frames=110):
    """A face that moves, turns and talks."""
    time = np.arange(frames)[:, None, None] / 30
    track = make_face(rng) + 20 * np.sin(time) + rng.normal(0, 0.5, (frames, 68, 2))
    track[:, 48:, 1] += 15 * np.abs(np.sin(6 * time[:, :, 0]))
    return track.astype(np.float32)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def transform(points, angle, scale, shift):
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (points @ turn) * scale + shift


def test_alignment_undoes_place_size_and_roll(rng):
    face = make_face(rng)
    moved = transform(face, 0.4, 0.5, [-300, 80])
    shape, head = geometry_features.align(face)
    shape_moved, head_moved = geometry_features.align(moved)
    np.testing.assert_allclose(shape_moved, shape, atol=1e-4)
    np.testing.assert_allclose(shape[36:42].mean(0), [-0.5, 0], atol=1e-5)
    np.testing.assert_allclose(shape[42:48].mean(0), [0.5, 0], atol=1e-5)
    assert head_moved[0] - head[0] == pytest.approx(0.4, abs=1e-4)
    assert head[3] - head_moved[3] == pytest.approx(np.log(2), abs=1e-4)


def test_a_mirrored_face_is_the_same_face_after_the_permutation(rng):
    assert sorted(geometry_features.MIRROR) == list(range(68))
    np.testing.assert_array_equal(geometry_features.MIRROR[geometry_features.MIRROR], np.arange(68))
    shape, _ = geometry_features.align(make_face(rng))
    there_and_back = (shape[geometry_features.MIRROR] * [-1, 1])[geometry_features.MIRROR] * [-1, 1]
    np.testing.assert_allclose(there_and_back, shape)
    # The eyes change places, so that the mirrored face is aligned as well.
    np.testing.assert_allclose(
        (shape[geometry_features.MIRROR] * [-1, 1])[36:42].mean(0), [-0.5, 0], atol=1e-5
    )


def test_resampling_keeps_straight_motion_at_any_rate(rng):
    face = make_face(rng)
    times_s = np.sort(rng.uniform(0, 4, 80))
    velocity = np.array([30, -10], np.float32)
    track = face + times_s[:, None, None] * velocity
    even_s, even = geometry_features.resample(times_s, track, 15)
    np.testing.assert_allclose(np.diff(even_s), 1 / 15)
    np.testing.assert_allclose(even, face + even_s[:, None, None] * velocity, atol=2e-3)


def test_resampling_bridges_gaps_linearly(rng):
    times_s = np.arange(90) / 30
    track = make_face(rng) + times_s[:, None, None] * np.float32(50)
    holes = track.copy()
    holes[:4], holes[20:35], holes[60] = np.nan, np.nan, np.nan
    even_s, even = geometry_features.resample(times_s, holes)
    assert np.isfinite(even).all()
    assert even_s[0] == pytest.approx(times_s[4])
    np.testing.assert_allclose(even, track[0] + even_s[:, None, None] * 50, atol=2e-3)


def test_a_track_without_a_face_gives_no_window():
    windows = geometry_features.cut_windows(np.arange(30) / 30, np.full((30, 68, 2), np.nan))
    assert windows.features.shape == (
        0,
        geometry_features.WINDOW_FRAMES,
        geometry_features.FEATURES,
    )
    assert len(windows.time_s) == 0
    assert len(geometry_features.cut_windows([], np.empty((0, 68, 2))).features) == 0


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(5, 68, 2\)"):
        geometry_features.resample(np.arange(5), np.zeros((4, 68, 2)))


@pytest.mark.parametrize("frames", [1, 2, 20, 89, 90, 91, 110, 400])
def test_clips_of_any_length_give_windows(rng, frames):
    times_s = np.arange(frames) / 30
    windows = geometry_features.cut_windows(times_s, make_track(rng, frames))
    assert windows.features.shape[1:] == (
        geometry_features.WINDOW_FRAMES,
        geometry_features.FEATURES,
    )
    assert windows.features.dtype == np.float32
    assert np.isfinite(windows.features).all()
    assert (np.diff(windows.time_s) > 0).all()
    assert (windows.time_s >= 0).all() and (windows.time_s <= times_s[-1]).all()


def test_windows_are_half_a_second_apart(rng):
    windows = geometry_features.cut_windows(np.arange(300) / 30, make_track(rng, 300))
    np.testing.assert_allclose(np.diff(windows.time_s)[:-1], 0.5)
    assert windows.time_s[0] == pytest.approx(1.45)


@pytest.mark.parametrize("frame_rate_hz", [30, ravdess.FRAME_RATE_HZ, 60])
def test_the_frames_that_are_looked_at_are_those_of_the_even_track(rng, frame_rate_hz):
    """Points averaged over two frames move more quietly than those that the network knows."""
    track, pace = make_track(rng, 60), Pace(geometry_features.FRAME_RATE_HZ)
    times_s = np.arange(60) / frame_rate_hz
    looked_at = np.array([pace.is_due(time_s) for time_s in times_s])
    _, even = geometry_features.resample(times_s[looked_at], track[looked_at])
    np.testing.assert_allclose(even, track[looked_at][: len(even)], atol=0.5)
    assert np.abs(np.diff(track, axis=0)).max() > 3, "a frame off would be seen"


@pytest.mark.parametrize("frames", [20, 90, 200])
def test_windows_cut_one_by_one_are_those_cut_at_once(rng, frames):
    times_s, track = 1.5 + np.arange(frames) / 30, make_track(rng, frames)
    windows = geometry_features.cut_windows(times_s, track)
    even = geometry_features.frames_between(times_s[0], times_s[-1])
    step = round(geometry_features.HOP_S * geometry_features.FRAME_RATE_HZ)
    starts = geometry_features.window_starts(even, geometry_features.WINDOW_FRAMES, step)
    for start, features in zip(starts, windows.features, strict=True):
        start_s = times_s[0] + start / geometry_features.FRAME_RATE_HZ
        # What lies long before the window is no longer needed.
        kept = times_s > start_s - 0.3
        alone = geometry_features.cut_window(times_s[kept], track[kept], start_s)
        np.testing.assert_allclose(alone, features, atol=1e-4)
    assert (
        geometry_features.cut_window(times_s[[0, -1]], track[[0, -1]], times_s[0]) is None
        or frames < 30
    )


def test_windows_without_a_face_are_left_out(rng):
    track = make_track(rng, 600)
    track[150:450] = np.nan
    windows = geometry_features.cut_windows(np.arange(600) / 30, track)
    inside = (windows.time_s > 6.6) & (windows.time_s < 13.4)
    assert len(windows.time_s) and not inside.any()


def test_features_do_not_depend_on_the_camera(rng):
    times_s, track = np.arange(110) / 30, make_track(rng)
    seen = geometry_features.cut_windows(times_s, track).features
    elsewhere = transform(track, 0.2, 0.4, [50, -20]).astype(np.float32)
    again = geometry_features.cut_windows(times_s, elsewhere).features
    np.testing.assert_allclose(again[..., :136], seen[..., :136], atol=2e-3)
    np.testing.assert_allclose(again[..., [136, 139]], seen[..., [136, 139]], atol=2e-3)


def test_half_the_frames_tell_nearly_the_same(rng):
    time = np.arange(120)[:, None, None] / 30
    track = (make_face(rng) + 8 * np.sin(2 * time)).astype(np.float32)
    whole = geometry_features.cut_windows(np.arange(120) / 30, track).features[0]
    half = geometry_features.cut_windows(np.arange(0, 120, 2) / 30, track[::2]).features[0]
    np.testing.assert_allclose(half, whole, atol=1e-3)


@pytest.fixture
def takes_and_tracks(rng):
    rows = [(f"s{s}", e) for s in range(3) for e in ("happy", "sad")]
    takes = pd.DataFrame(rows, columns=["speaker", "emotion"])
    return takes, [make_track(rng, 100 + 5 * i) for i in range(len(takes))]


def test_augmented_windows_stay_aligned_faces(takes_and_tracks, rng):
    takes, tracks = takes_and_tracks
    still = augment_geometry.GeometryStrength(jitter=0, drift=0)
    windows = augment_geometry.WindowAugmenter(tracks, takes, still).draw(rng, np.arange(6))
    assert windows.shape == (6, geometry_features.WINDOW_FRAMES, geometry_features.FEATURES)
    shape = windows[..., :136].reshape(6, -1, 68, 2)
    np.testing.assert_allclose(
        shape[..., 36:42, :].mean(-2), np.broadcast_to([-0.5, 0], (6, FRAMES, 2)), atol=1e-4
    )


def test_no_augmentation_gives_the_take_or_its_mirror(takes_and_tracks, rng):
    takes, tracks = takes_and_tracks
    none = augment_geometry.GeometryStrength(*[0] * 8)
    windows = augment_geometry.WindowAugmenter(tracks, takes, none).draw(rng, np.array([2, 4]))
    for take, window in zip((2, 4), windows, strict=True):
        shape = geometry_features.align(tracks[take])[0]
        mirrored = shape[:, geometry_features.MIRROR] * [-1, 1]
        first = window[0, :136].reshape(68, 2)
        distances = [np.abs(s - first).max((1, 2)).min() for s in (shape, mirrored)]
        assert min(distances) < 1e-4


def test_another_person_keeps_the_expression(takes_and_tracks, rng):
    takes, tracks = takes_and_tracks
    swap = augment_geometry.GeometryStrength(1.0, 1.0, 0, 0, 0, 0, 0, 0)
    augmenter = augment_geometry.WindowAugmenter(tracks, takes, swap)
    one, two = augmenter.draw(rng, np.array([1, 1]))[..., :136]
    # Neutral shapes differ, motion (but for mirroring) does not.
    assert np.abs(one.mean(0) - two.mean(0)).max() > 0.01
    aperture = [w.reshape(-1, 68, 2)[:, 57, 1].std() for w in (one, two)]
    assert aperture[0] == pytest.approx(aperture[1], rel=0.25)


def test_draws_repeat_with_the_seed(takes_and_tracks):
    takes, tracks = takes_and_tracks
    augmenter = augment_geometry.WindowAugmenter(tracks, takes)
    draws = [list(augment_geometry.draw_rounds(augmenter, 6, 2, seed=5)) for _ in range(2)]
    for (rows, windows), (rows_again, again) in zip(*draws, strict=True):
        np.testing.assert_array_equal(rows, rows_again)
        np.testing.assert_array_equal(windows, again)


CHANNELS = 7 * geometry_features.FEATURES
MEASURES = geometry_network.MEASURES


def statistics_of(windows) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Seven statistics of channels, five of measures, and how each two measures go together."""
    found = keras.ops.convert_to_numpy(build_statistics()(windows))
    channels, measures, pairs = np.split(found, [CHANNELS, CHANNELS + 5 * MEASURES], axis=1)
    return np.split(channels, 7, axis=1), np.split(measures, 5, axis=1), pairs


def test_statistics_of_channels_by_hand(rng):
    windows = rng.normal(size=(2, FRAMES, geometry_features.FEATURES)).astype(np.float32)
    found, _, _ = statistics_of(windows)
    mean = windows.mean(1)
    np.testing.assert_allclose(found[0], mean, atol=1e-5)
    np.testing.assert_allclose(found[1], np.log(windows.std(1) + 3e-3), atol=1e-4)
    np.testing.assert_allclose(found[2], np.log(np.diff(windows, axis=1).std(1) + 1e-3), atol=1e-4)
    slow = (windows[:, 4:] - windows[:, :-4]).std(1)
    np.testing.assert_allclose(found[3], np.log(slow + 1e-3), atol=1e-4)
    for third in range(3):
        part = np.split(windows, 3, axis=1)[third].mean(1)
        np.testing.assert_allclose(found[4 + third], part - mean, atol=1e-5)


def test_measures_by_hand(rng):
    windows = rng.normal(size=(3, FRAMES, geometry_features.FEATURES)).astype(np.float32)
    points = windows[..., :136].reshape(3, FRAMES, 68, 2)
    measures = [
        sum(np.linalg.norm(points[:, :, a] - points[:, :, b], axis=-1) for a, b in pairs)
        for pairs in geometry_network.DISTANCES.values()
    ]
    y = points[..., 1]
    for low, high in geometry_network.HEIGHTS.values():
        measures.append(y[..., low].mean(-1) - (y[..., high].mean(-1) if high else 0))
    measures = np.stack(measures, -1)
    _, quantiles, pairs = statistics_of(windows)
    low, lower, median, upper, high = np.quantile(measures, geometry_network.QUANTILES, axis=1)
    for found, expected in zip(quantiles, (median, low, lower, upper, high), strict=True):
        np.testing.assert_allclose(
            found, expected if expected is median else expected - median, atol=1e-4
        )
    about = measures - measures.mean(1, keepdims=True)
    scaled = about / (about.std(1, keepdims=True) + 1e-2)
    products = np.einsum("nti,ntj->nij", scaled, scaled) / FRAMES
    upper_triangle = np.triu_indices(MEASURES, 1)
    np.testing.assert_allclose(pairs, products[:, upper_triangle[0], upper_triangle[1]], atol=1e-3)


def test_only_the_mean_tells_whose_face_it_is(rng):
    windows = rng.normal(size=(1, FRAMES, geometry_features.FEATURES)).astype(np.float32)
    other_person = windows + rng.normal(size=geometry_features.FEATURES).astype(np.float32)
    statistics = [statistics_of(w)[0] for w in (windows, other_person)]
    for index, (one, other) in enumerate(zip(*statistics, strict=True)):
        assert np.allclose(one, other, atol=1e-3) == (index > 0)


def test_what_ships_holds_weights_and_no_optimizer():
    with zipfile.ZipFile(SHIPPED / "model.keras") as archive:
        size = archive.getinfo("model.weights.h5").file_size
    weights = keras.saving.load_model(SHIPPED / "model.keras").count_params()
    assert size < 1.2 * 4 * weights


def test_a_still_face_gives_a_posterior():
    size = build_statistics().output_shape[1]
    network = assemble(build_head(np.zeros(size), np.ones(size), members=2, hidden_units=8))
    still = np.zeros((1, geometry_features.WINDOW_FRAMES, geometry_features.FEATURES), np.float32)
    posterior = keras.ops.convert_to_numpy(network(still))
    assert posterior.shape == (1, len(RAVDESS8))
    assert posterior.sum() == pytest.approx(1, abs=1e-5)


def test_the_shipped_network_says_the_same_in_both_formats(rng):
    if not (SHIPPED / "model.onnx").exists():
        pytest.skip("Models/geometry is not trained yet")
    onnxruntime = pytest.importorskip("onnxruntime")
    windows = geometry_features.cut_windows(np.arange(200) / 30, make_track(rng, 200)).features
    with_keras = keras.saving.load_model(SHIPPED / "model.keras").predict(windows, verbose=0)
    session = onnxruntime.InferenceSession(SHIPPED / "model.onnx")
    with_onnx = session.run(None, {session.get_inputs()[0].name: windows})[0]
    np.testing.assert_allclose(with_onnx, with_keras, atol=1e-4)


def test_the_evidence_adds_up():
    if not (SHIPPED / "metrics.json").exists():
        pytest.skip("Models/geometry is not trained yet")
    table = evidence.read_predictions(SHIPPED)
    assert len(table) == 1440 and table["clip_id"].is_unique
    assert (table.groupby("speaker")["fold"].nunique() == 1).all()
    assert (table[list(RAVDESS8)].sum(axis=1) - 1).abs().max() < 1e-3


def test_the_takes_of_a_training_actor_get_fitting_verdicts():
    folder = Path(os.environ.get("EMOREC_DATA", "")) / "RAVDESS_landmarks"
    file = folder / "Actor_01_landmarks.csv.xz"
    if not os.environ.get("EMOREC_DATA") or not file.exists():
        pytest.skip("RAVDESS landmarks are not at EMOREC_DATA")
    if not (SHIPPED / "model.keras").exists():
        pytest.skip("Models/geometry is not trained yet")
    columns = [f"pt{i}.{axis}" for i in range(1, 69) for axis in "xy"]
    frames = pd.read_csv(file, usecols=["fname", *columns])
    network = keras.saving.load_model(SHIPPED / "model.keras")
    right = []
    for name, take in frames.groupby("fname"):
        track = take[columns].to_numpy(np.float32).reshape(-1, 68, 2)
        windows = geometry_features.cut_windows(np.arange(len(track)) / 29.97, track)
        posterior = log_mean(network.predict(windows.features, verbose=0))
        right.append(RAVDESS8[posterior.argmax()] == ravdess.parse_name(name)["emotion"])
    # This network was trained on them: below this it is broken, not merely weak.
    assert len(right) == 60
    assert np.mean(right) > 0.75
