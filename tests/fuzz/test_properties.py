"""What holds of every name, every time stamp and every model description, drawn by Hypothesis."""

import csv
import json
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emorec.engines import ModelSpec, read_model_spec
from emorec.errors import EmorecError, MediaError, ModelError
from emorec.fusion import LogLinearFusion
from emorec.media.clock import LONGEST_PAUSE_S, Clock
from emorec.media.find import find_clips
from emorec.paths import MODELS
from emorec.report.cells import cell
from emorec.report.earlier import read_earlier
from emorec.report.table import TABLE_COLUMNS, ResultWriter
from emorec.result.clip import ClipResult

# The same examples in every run: what is new is found by raising the number.
settings.register_profile(
    "emorec",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=int(os.environ.get("EXAMPLES", "100")),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("emorec")

# With halves of characters, which names of broken archives hold.
characters = st.characters(exclude_categories=())
names = st.text(characters, max_size=300) | st.text("=+-@\t\n\x1b'*?[]/.~$%\0 a", max_size=12)
numbers = st.integers() | st.floats() | st.sampled_from([10**400, -(10**400)])
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(names)
def test_any_name_is_a_path_or_an_error_with_a_remedy(recognizer, name):
    for found in find_clips([name]):
        if isinstance(found, MediaError):
            assert found.reason and found.remedy
        elif "\0" in name or not found.exists():
            result = recognizer.classify_safely(found)
            assert result.status == "failed" and "unforeseen" not in result.reason
            assert result.reason and result.remedy


@given(names)
def test_any_name_has_one_row_that_is_read_again_and_is_no_formula(tmp_path, name):
    table, file = tmp_path / "rows.csv", tmp_path / "rows.json"
    for path in (table, file):
        path.unlink(missing_ok=True)
    result = ClipResult.failed(name or ".", "no such file", "check the name")
    with ResultWriter(table, file) as writer:
        writer.add(result)
    with table.open(newline="", encoding="utf-8") as rows:
        (row,) = csv.DictReader(rows)
    assert row["file"] == cell(result.name)
    assert row["status"] == "failed" and row["remedy"] == "check the name"
    assert row["file"].lstrip()[:1] not in ("=", "+", "-", "@")
    assert len(cell(name).splitlines()) <= 1 and "\x1b" not in cell(name)
    assert len(json.loads(file.read_text(encoding="utf-8"))["clips"]) == 1
    assert read_earlier(table, file, TABLE_COLUMNS).rows == []


class Packet:
    """As much of a packet of PyAV as a clock moves."""

    def __init__(self, track: int, stamps: tuple, unit: Fraction):
        self.stream_index, self.time_base = track, unit
        self.pts, self.dts, self.duration = stamps


stamps = st.none() | st.integers(-(2**63) + 1, 2**63 - 1) | st.integers(-1000, 200_000)
packets = st.tuples(
    st.integers(0, 2), st.tuples(stamps, stamps, st.integers(0, 2**63 - 1) | st.integers(0, 100))
)
units = st.sampled_from([Fraction(1, n) for n in (1, 25, 1000, 90_000, 10**9)])


@given(st.lists(packets, max_size=40), units)
def test_whatever_the_time_stamps_say_a_recording_grows_by_pauses_alone(drawn, unit):
    clock = Clock(0.0)
    times_s: dict[int, list[float]] = {}
    for track, stated in drawn:
        packet = Packet(track, stated, unit)
        clock.place(packet)
        # PyAV takes no other.
        moved = av.Packet(b"")
        moved.pts, moved.dts, moved.duration = packet.pts, packet.dts, packet.duration
        stamp = packet.pts if packet.dts is None else packet.dts
        if stamp is not None:
            times_s.setdefault(track, []).append(float(stamp * unit))
    count = sum(map(len, times_s.values()))
    for of_track in times_s.values():
        assert max(of_track) <= count * (LONGEST_PAUSE_S + 60)
        assert min(of_track) >= -count * (LONGEST_PAUSE_S + 60)
    assert all(note for note in clock.notes) and len(clock.notes) <= 5


@given(st.lists(st.integers(1, 60), max_size=30), st.integers(-5, 5))
def test_honest_time_stamps_stay_as_they_are(steps, start):
    clock, stamp = Clock(start / 25), start
    for step in steps:
        packet = Packet(0, (stamp, stamp, 1), Fraction(1, 25))
        clock.place(packet)
        assert (packet.pts, packet.dts) == (stamp, stamp)
        stamp += step
    assert clock.notes == []


def write(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def places(value: object, here: tuple = ()) -> list[tuple]:
    """All places in a JSON value, the whole of it first."""
    inner = (
        value.items() if isinstance(value, dict)
        else enumerate(value) if isinstance(value, list)
        else ()
    )  # fmt: skip
    return [here, *(place for key, item in inner for place in places(item, (*here, key)))]


def replaced(value, place: tuple, new: object):
    if not place:
        return new
    copy = value.copy()
    copy[place[0]] = replaced(value[place[0]], place[1:], new)
    return copy


FUSION = json.loads((MODELS / "fusion" / "fusion.json").read_text(encoding="utf-8"))
SPEC = json.loads((MODELS / "face_cnn" / "model.json").read_text(encoding="utf-8"))


@given(st.data(), json_values)
def test_a_fusion_with_anything_in_any_place_is_usable_or_refused(tmp_path, data, new):
    place = data.draw(st.sampled_from(places(FUSION)))
    path = write(tmp_path / "fusion.json", replaced(FUSION, place, new))
    try:
        fusion = LogLinearFusion.from_json(path)
    except ModelError as error:
        assert error.reason and error.remedy
        return
    even = np.full(len(fusion.classes), 1 / len(fusion.classes))
    for streams in (*fusion.weights, *([stream] for stream in fusion.calibrations)):
        assert fusion.apply(dict.fromkeys(streams, even)).sum() == pytest.approx(1)


@given(st.data(), json_values)
def test_a_model_s_description_with_anything_in_any_place_is_usable_or_refused(tmp_path, data, new):
    place = data.draw(st.sampled_from(places(SPEC)))
    write(tmp_path / "model.json", replaced(SPEC, place, new))
    try:
        spec = read_model_spec(tmp_path)
    except ModelError as error:
        assert error.reason and error.remedy
        return
    assert isinstance(spec, ModelSpec)
    assert isinstance(spec.stream, str) and isinstance(spec.output, str)
    assert spec.classes and all(isinstance(name, str) for name in spec.classes)
    assert isinstance(spec.far, float)


@given(json_values)
def test_another_json_file_is_not_taken_for_earlier_results(tmp_path, value):
    table, file = tmp_path / "rows.csv", write(tmp_path / "rows.json", value)
    table.write_text(",".join(TABLE_COLUMNS) + "\n")
    try:
        found = read_earlier(table, file, TABLE_COLUMNS)
    except EmorecError as error:
        assert error.args[2]
        return
    assert found.entries == []


@pytest.mark.parametrize("text", ["[" * 100_000, '{"classes":' * 100_000, "\ufeff{}", "\0", ""])
def test_text_that_is_no_json_is_refused(tmp_path, text):
    for name, read in (("model.json", lambda path: read_model_spec(path.parent)),
                       ("fusion.json", LogLinearFusion.from_json)):  # fmt: skip
        (tmp_path / name).write_text(text, encoding="utf-8")
        with pytest.raises(ModelError):
            read(tmp_path / name)
    (tmp_path / "rows.csv").write_text(",".join(TABLE_COLUMNS) + "\n")
    (tmp_path / "rows.json").write_text(text, encoding="utf-8")
    if text:
        with pytest.raises(EmorecError):
            read_earlier(tmp_path / "rows.csv", tmp_path / "rows.json", TABLE_COLUMNS)
