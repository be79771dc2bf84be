"""Two hundred damaged clips of twelve containers; `make fuzz` reads thousands."""

import pytest
from fuzzing import MEMORY_MB, fuzz
from mutants import CODECS, DAMAGES, made_clips, mutant

COUNT, SEED = 200, 20261129


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return fuzz(COUNT, SEED, tmp_path_factory.mktemp("fuzz") / "fuzz")


def test_every_damaged_clip_has_a_row_with_a_result_or_a_reason_and_a_remedy(report):
    assert not report.failures, "\n".join(report.failures)
    assert report.rows == report.inputs == COUNT
    assert report.by_status["ok"] > 50 and report.by_status["failed"] > 50
    assert report.videos > 5


def test_time_and_memory_are_bounded_and_nothing_is_left(report):
    assert report.left == []
    assert 100 < report.peak_mb < MEMORY_MB
    assert 0 < report.slowest_s < 60


def test_a_seed_and_a_number_name_one_damaged_clip_and_every_damage_is_done(tmp_path):
    whole = made_clips(tmp_path)
    assert set(whole) == set(CODECS) and min(map(len, whole.values())) > 5000
    first = [mutant(whole, 3, number) for number in range(60)]
    assert first == [mutant(whole, 3, number) for number in range(60)]
    # What was zero already stays so when it is zeroed.
    assert sum(content != whole[name.rsplit(".", 1)[1]] for name, content in first) > 50
    assert all(any(damage in name for name, _ in first) for damage in DAMAGES)
    assert dict(first) != dict(mutant(whole, 4, number) for number in range(60))
