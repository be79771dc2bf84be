"""Writing files whole: links stay links, devices stay devices."""

import errno
import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from emorec.files import check_writable, fitting_name, identity, write_atomically, write_json


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


@pytest.fixture
def pipe(tmp_path) -> Path:
    if not hasattr(os, "mkfifo"):
        pytest.skip("there are no named pipes here")
    os.mkfifo(tmp_path / "pipe.json")
    return tmp_path / "pipe.json"


def test_a_pipe_is_written_into_and_stays_a_pipe(pipe):
    check_writable(pipe)  # does not wait for a reader, and shows it no end
    with ThreadPoolExecutor(1) as beside:
        said = beside.submit(pipe.read_text)
        write_json(pipe, {"new": 1})
        assert json.loads(said.result(timeout=20)) == {"new": 1}
    assert pipe.is_fifo()
    assert list(pipe.parent.iterdir()) == [pipe]


@pytest.mark.parametrize("kind", ["file", "pipe"])
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_the_standard_output_is_written_into(tmp_path, name, kind):
    if not os.path.lexists(name):
        pytest.skip(f"there is no {name} here")
    code = (
        "import sys; from pathlib import Path; from emorec.files import *; "
        "check_writable(Path(sys.argv[1])); print('before'); "
        "write_json(Path(sys.argv[1]), {'new': 1}); print('after')"
    )
    out = tmp_path / "out"
    with out.open("w") as file:
        sink = file if kind == "file" else subprocess.PIPE
        done = subprocess.run([sys.executable, "-c", code, name], stdout=sink, check=True)
    said = out.read_text() if kind == "file" else done.stdout.decode()
    assert said == 'before\n{\n  "new": 1\n}\nafter\n'
    assert list(tmp_path.iterdir()) == [out]


def test_a_file_that_is_also_the_standard_output_loses_nothing(tmp_path):
    out = tmp_path / "out.json"
    code = (
        "import sys; from pathlib import Path; from emorec.files import write_json; "
        "write_json(Path(sys.argv[1]), {'new': 1}); print('after')"
    )
    with out.open("w") as file:
        subprocess.run([sys.executable, "-c", code, out], stdout=file, check=True)
    assert out.read_text() == '{\n  "new": 1\n}\nafter\n'


def test_the_rights_of_a_file_stay(tmp_path):
    private, new = tmp_path / "private.json", tmp_path / "new.json"
    private.write_text("old")
    private.chmod(0o600)
    for file in (private, new):
        write_json(file, {"new": 1})
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    (tmp_path / "usual").touch()
    assert new.stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("stem", ["n" * 250, "🙂" * 62, "ü" * 125])
def test_every_legal_name_can_be_written(tmp_path, stem):
    file = tmp_path / f"{stem}.json"
    write_json(file, {"new": 1})
    assert json.loads(file.read_text()) == {"new": 1}
    name = fitting_name(stem, "_annotated.mp4")
    (tmp_path / name).touch()
    assert name.endswith("_annotated.mp4")
    assert stem.startswith(name.removesuffix("_annotated.mp4"))


def test_a_link_that_leads_nowhere_gets_its_target_when_it_is_written(tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "target.json")
    check_writable(link)
    assert list(tmp_path.iterdir()) == [link]
    write_json(link, {"new": 1})
    assert link.is_symlink()
    assert (tmp_path / "target.json").exists()


def test_a_full_disk_leaves_what_was_there(tmp_path):
    file = tmp_path / "a.json"
    file.write_text("whole")

    def fill(name):
        Path(name).write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_atomically(file, fill)
    assert file.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [file]


def test_two_names_of_one_file_have_one_identity(tmp_path):
    file, hard, soft = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    assert identity(file) == identity(tmp_path / "." / "a")
    file.touch()
    hard.hardlink_to(file)
    soft.symlink_to(file)
    assert identity(file) == identity(hard) == identity(soft)
