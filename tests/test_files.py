"""Writing files whole: links stay links, devices stay devices."""

import json
import os
import stat
from pathlib import Path

import pytest

from emorec.files import write_json


def test_a_link_stays_a_link_and_its_target_is_written(tmp_path):
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_text("old")
    link.symlink_to(target)
    write_json(link, {"new": 1})
    assert link.is_symlink()
    assert json.loads(target.read_text()) == {"new": 1}


def test_a_device_is_written_into_and_not_replaced():
    if os.name != "posix":
        pytest.skip("there is no /dev/null here")
    write_json(Path("/dev/null"), {"gone": 1})
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_half_a_file_is_never_seen(tmp_path):
    file = tmp_path / "a.json"
    file.write_text("whole")
    with pytest.raises(TypeError):
        write_json(file, {"no": object()})
    assert file.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [file]
