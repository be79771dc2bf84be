"""Fetching: cut, damaged, foreign and complete transfers, from a server on this machine."""

import hashlib
import tracemalloc

import pandas as pd
import pytest
from archives import Server, archive_bytes, noise

from emorec import cli
from emorec.corpora import ravdess
from emorec.errors import DataError
from emorec.fetch.ravdess import fetch_ravdess
from emorec.fetch.unpack import open_archive, read_track, unpack_landmarks, unpack_takes
from emorec.fetch.zenodo import RemoteFile, fetch, read_record, require_space

resource = pytest.importorskip("resource")


@pytest.fixture
def server():
    server = Server({"a.zip": noise(300_000)})
    yield server
    server.close()


def remote(server, name="a.zip") -> RemoteFile:
    content = server.files[name]
    url = f"{server.url}/files/{name}/content"
    return RemoteFile(name, url, len(content), hashlib.md5(content).hexdigest())


def ranges(server):
    return [asked for path, asked in server.requests if path.startswith("/files/")]


def test_a_record_is_read_once_and_then_from_its_copy(server, tmp_path):
    files = read_record(7, tmp_path, server.url)
    assert files == [remote(server)]
    assert read_record(7, tmp_path, "http://127.0.0.1:9") == files


def test_a_damaged_copy_of_a_record_is_fetched_again(server, tmp_path):
    (tmp_path / "zenodo-7.json").write_text('{"files": [{')
    assert read_record(7, tmp_path, server.url) == [remote(server)]


def test_a_record_without_md5_is_refused(server, tmp_path):
    server.checksum_kind = "crc32"
    with pytest.raises(DataError, match="checksums"):
        read_record(7, tmp_path, server.url)
    assert not list(tmp_path.iterdir())


def test_without_a_server_the_error_names_the_connection(tmp_path):
    with pytest.raises(DataError, match="connection"):
        read_record(7, tmp_path, "http://127.0.0.1:9")


def test_a_whole_file_is_fetched_once(server, tmp_path):
    for _ in range(2):
        path = fetch(remote(server), tmp_path, retries=0)
        assert path.read_bytes() == server.files["a.zip"]
    assert ranges(server) == [None]


def test_a_cut_transfer_goes_on_where_it_stopped(server, tmp_path):
    server.faults = ["cut"]
    with pytest.raises(DataError, match="broke off"):
        fetch(remote(server), tmp_path, retries=0)
    kept = (tmp_path / "a.zip.part").stat().st_size
    assert 80_000 < kept <= 150_000
    assert not (tmp_path / "a.zip").exists()
    path = fetch(remote(server), tmp_path, retries=0)
    assert path.read_bytes() == server.files["a.zip"]
    assert ranges(server) == [None, f"bytes={kept}-"]
    assert [file.name for file in tmp_path.iterdir()] == ["a.zip"]


def test_a_cut_transfer_goes_on_by_itself(server, tmp_path):
    server.faults = ["cut", "refused"]
    path = fetch(remote(server), tmp_path, retries=2)
    assert path.read_bytes() == server.files["a.zip"]
    assert ranges(server)[0] is None
    assert ranges(server)[1] == ranges(server)[2] != "bytes=0-"


def test_a_server_that_cannot_go_on_sends_all_again(server, tmp_path):
    server.faults = ["cut", "no range"]
    path = fetch(remote(server), tmp_path, retries=1)
    assert path.read_bytes() == server.files["a.zip"]


@pytest.mark.parametrize("fault", ["damaged", "too short"])
def test_what_is_not_the_official_file_is_never_kept(server, tmp_path, fault):
    server.faults = [fault]
    with pytest.raises(DataError, match="damaged"):
        fetch(remote(server), tmp_path, retries=0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fault", ["endless", "packed"])
def test_a_server_that_sends_more_than_the_record_says_is_cut_off(server, tmp_path, fault):
    server.faults = [fault]
    with pytest.raises(DataError, match=r"damaged.*Remedy: run the same command"):
        fetch(remote(server), tmp_path, retries=0)
    assert not list(tmp_path.iterdir())
    assert server.sent_bytes < 50_000_000
    assert fetch(remote(server), tmp_path, retries=0).read_bytes() == server.files["a.zip"]


@pytest.mark.parametrize("fault", ["endless", "packed"])
def test_a_record_without_end_is_refused(server, tmp_path, fault):
    server.faults = [fault]
    with pytest.raises(DataError, match=r"no record.*Remedy: try again later"):
        read_record(7, tmp_path, server.url)
    assert not list(tmp_path.iterdir())
    assert server.sent_bytes < 100_000_000


@pytest.mark.parametrize(
    "said",
    [
        "[" * 100_000, "[]", '{"files": 1}', '{"files": [1]}', '{"files": [{"checksum": 5}]}',
        '{"files": [{"key": "a", "links": {"self": "u"}, "checksum": "md5:0", "size": Infinity}]}',
        '{"files": [{"key": "a", "links": {"self": "u"}, "checksum": "md5:0", "size": -1}]}',
        '{"files": [{"key": 1, "links": {"self": "u"}, "checksum": "md5:0", "size": 1}]}',
    ],
)  # fmt: skip
def test_an_answer_of_another_form_is_no_record(server, tmp_path, monkeypatch, said):
    monkeypatch.setattr(server, "record", said.encode)
    with pytest.raises(DataError, match="no record"):
        read_record(7, tmp_path, server.url)


def test_a_damaged_transfer_is_tried_again(server, tmp_path):
    server.faults = ["damaged"]
    assert fetch(remote(server), tmp_path, retries=1).read_bytes() == server.files["a.zip"]


def test_a_half_file_that_is_too_long_is_thrown_away(server, tmp_path):
    (tmp_path / "a.zip.part").write_bytes(noise(400_000))
    assert fetch(remote(server), tmp_path, retries=0).read_bytes() == server.files["a.zip"]


def test_a_complete_half_file_needs_no_transfer(server, tmp_path):
    (tmp_path / "a.zip.part").write_bytes(server.files["a.zip"])
    fetch(remote(server), tmp_path, retries=0)
    assert ranges(server) == []


def test_room_is_looked_for_before_any_work(tmp_path):
    with pytest.raises(DataError, match="are free"):
        require_space(tmp_path, 10**18, "a.zip")


def test_a_full_disk_keeps_what_arrived(server, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(DataError, match="disk is full"):
            fetch(remote(server), tmp_path, retries=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    kept = (tmp_path / "a.zip.part").read_bytes()
    assert kept == server.files["a.zip"][: len(kept)]
    assert fetch(remote(server), tmp_path, retries=0).read_bytes() == server.files["a.zip"]


@pytest.mark.parametrize("name", ["../../evil.txt", "/evil.txt", "..\\evil.txt", "C:/evil.txt"])
def test_an_archive_that_leaves_its_folder_is_refused(tmp_path, name):
    path = tmp_path / "in" / "a.zip"
    path.parent.mkdir()
    path.write_bytes(archive_bytes({"Actor_01/03-01-01-01-01-01-01.wav": b"x", name: b"y"}))
    with pytest.raises(DataError, match="outside"):
        open_archive(path)
    with pytest.raises(DataError, match="outside"):
        unpack_takes(path, tmp_path / "out", "03")
    assert not (tmp_path / "out").exists()


def test_a_text_is_no_archive(tmp_path):
    (tmp_path / "a.zip").write_text("not found")
    with pytest.raises(DataError, match="no archive"):
        open_archive(tmp_path / "a.zip")


def test_takes_land_in_the_layout_and_existing_ones_stay(tmp_path):
    path = tmp_path / "a.zip"
    wrapped = "Video_Speech_Actor_01/Actor_01"
    path.write_bytes(
        archive_bytes(
            {
                f"{wrapped}/01-01-03-01-01-01-01.mp4": b"with sound",
                f"{wrapped}/02-01-03-01-01-01-01.mp4": b"without",
                f"{wrapped}/01-02-03-01-01-01-01.mp4": b"song",
                f"{wrapped}/notes.txt": b"?",
            }
        )
    )
    assert unpack_takes(path, tmp_path / "RAVDESS", "01") == 1
    files = [file for file in (tmp_path / "RAVDESS").rglob("*") if file.is_file()]
    assert [file.relative_to(tmp_path).as_posix() for file in files] == [
        "RAVDESS/Actor_01/01-01-03-01-01-01-01.mp4"
    ]
    assert unpack_takes(path, tmp_path / "RAVDESS", "01") == 0


def test_a_take_of_another_size_is_replaced(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(archive_bytes({"Actor_01/03-01-03-01-01-01-01.wav": b"whole"}))
    target = tmp_path / "RAVDESS" / "Actor_01" / "03-01-03-01-01-01-01.wav"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"wh")
    assert unpack_takes(path, tmp_path / "RAVDESS", "03") == 1
    assert target.read_bytes() == b"whole"


def test_a_damaged_archive_leaves_no_half_take(tmp_path):
    content = bytearray(archive_bytes({"Actor_01/03-01-03-01-01-01-01.wav": noise(5000)}))
    content[2000] ^= 255
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        unpack_takes(tmp_path / "a.zip", tmp_path / "RAVDESS", "03")
    assert not [file for file in (tmp_path / "RAVDESS").rglob("*") if file.is_file()]


TAKE = "Actor_01/03-01-03-01-01-01-01.wav"


def header_of(content: bytes, offset: int, value: bytes) -> bytes:
    """Change a field of every central header of an archive (and leave the local ones)."""
    changed = bytearray(content)
    start = -1
    while (start := changed.find(b"PK\x01\x02", start + 1)) >= 0:
        changed[start + offset : start + offset + len(value)] = value
    return bytes(changed)


def not_deflate() -> bytes:
    """An archive whose take is packed into what zlib cannot unpack."""
    content = bytearray(archive_bytes({TAKE: noise(5000)}))
    start = 30 + len(TAKE)
    content[start : start + 200] = b"\xff" * 200
    return bytes(content)


WHOLE = archive_bytes({TAKE: bytes(5000)})
ODD_ARCHIVES = {
    "encrypted": (header_of(WHOLE, 8, b"\x01\x00"), "is encrypted; nothing was unpacked"),
    "deflate64": (header_of(WHOLE, 10, b"\x09\x00"), "cannot be read here"),
    "aes": (header_of(WHOLE, 10, b"\x63\x00"), "cannot be read here"),
    "newer version": (header_of(WHOLE, 6, b"\xff\x00"), "no archive that can be opened"),
    "huge": (header_of(WHOLE, 24, b"\xff\xff\xff\xf0"), r"would take 4\.0 GB"),
    "zlib-broken": (not_deflate(), "it is damaged"),
    "longer than it says": (header_of(WHOLE, 24, b"\x64\x00\x00\x00"), "it is damaged"),
    "shorter than it says": (header_of(WHOLE, 24, b"\x64\x64\x00\x00"), "it is damaged"),
    "cut": (WHOLE[:-30], "no archive that can be opened"),
    "headers gone": (WHOLE.replace(b"PK\x03\x04", b"PK\x00\x00"), "it is damaged"),
}


@pytest.mark.parametrize("kind", ODD_ARCHIVES)
def test_an_archive_that_cannot_be_unpacked_is_said_in_a_line(tmp_path, kind):
    content, reason = ODD_ARCHIVES[kind]
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"{reason}.*Remedy: delete it"):
        unpack_takes(path, tmp_path / "RAVDESS", "03")
    path.write_bytes(content.replace(b"03-01-03", b"01-01-03"))
    with pytest.raises(DataError, match=rf"{reason}.*Remedy: delete it"):
        unpack_landmarks(path, tmp_path / "RAVDESS_landmarks")
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [path]


def test_a_track_that_unpacks_to_more_than_it_says_takes_no_more_memory(tmp_path):
    path = tmp_path / "a.zip"
    lying = archive_bytes({"01-01-03-01-01-01-01.csv": bytes(40_000_000)})
    path.write_bytes(header_of(lying, 24, b"\x64\x00\x00\x00"))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="damaged"):
            unpack_landmarks(path, tmp_path / "RAVDESS_landmarks")
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_of_many_members_for_one_place_one_is_unpacked(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(archive_bytes({f"{n}/{TAKE}": b"x" * n for n in range(1, 50)}))
    assert unpack_takes(path, tmp_path / "RAVDESS", "03") == 1
    assert (tmp_path / "RAVDESS" / TAKE).read_bytes() == b"x" * 49


def open_face_csv(frames: int) -> bytes:
    columns = ["frame", " face_id", " timestamp", " X_0"]
    columns += [f" {axis}_{i}" for axis in "xy" for i in range(68)]
    rows = [[n + 1, 0, n / 30, 9.0, *(100 * (i + 1) for i in range(136))] for n in range(frames)]
    return pd.DataFrame(rows, columns=columns).to_csv(index=False).encode()


def test_tracks_become_what_the_geometry_network_reads(tmp_path):
    members = {f"01-01-03-01-01-01-{a:02d}.csv": open_face_csv(a + 3) for a in (1, 2)}
    members["01-02-03-01-01-01-01.csv"] = b"a song"
    (tmp_path / "a.zip").write_bytes(archive_bytes(members))
    assert unpack_landmarks(tmp_path / "a.zip", tmp_path / "RAVDESS_landmarks") == 2
    takes, tracks = ravdess.load_landmarks(tmp_path / "RAVDESS_landmarks")
    assert takes["speaker"].tolist() == ["ravdess-01", "ravdess-02"]
    assert [track.shape for track in tracks] == [(4, 68, 2), (5, 68, 2)]
    # Point 1 is x_0, y_0; the 3D columns of another case are left out.
    assert tracks[0][0, 0].tolist() == [100, 6900]
    assert unpack_landmarks(tmp_path / "a.zip", tmp_path / "RAVDESS_landmarks") == 0


def test_a_track_of_words_is_named():
    words = open_face_csv(3).replace(b"9.0", b"nine").replace(b"100,", b"hundred,")
    with pytest.raises(ValueError, match=r"01-01.*other than numbers"):
        read_track(words, "01-01-03-01-01-01-01.csv")


def test_a_track_without_points_is_named():
    with pytest.raises(ValueError, match=r"01-01.*lacks"):
        read_track(b"frame,timestamp\n1,0\n", "01-01-03-01-01-01-01.csv")


@pytest.fixture
def ravdess_server(monkeypatch):
    """A server with RAVDESS's sound of two takes and the landmark tracks of one."""
    takes = {f"Actor_01/03-01-03-01-01-0{n}-01.wav": noise(2000, n) for n in (1, 2)}
    tracks = {"01-01-03-01-01-01-01.csv": open_face_csv(5)}
    server = Server(
        {
            "Audio_Speech_Actors_01-24.zip": archive_bytes(takes),
            "FacialTracking_Actors_01-24.zip": archive_bytes(tracks),
            "Video_Speech_Actor_05.zip": archive_bytes({"Actor_05/readme.txt": b""}),
        }
    )
    monkeypatch.setenv("EMOREC_ZENODO_URL", server.url)
    yield server
    server.close()


def test_one_command_fetches_checks_and_unpacks(ravdess_server, tmp_path, capsys):
    parts = ["--part", "sound", "--part", "landmarks"]
    assert cli.main(["data", "ravdess", *parts, "--to", str(tmp_path)]) == 0
    assert len(list(tmp_path.glob("RAVDESS/Actor_01/03-01-*.wav"))) == 2
    assert (tmp_path / "RAVDESS_landmarks" / "Actor_01_landmarks.csv.xz").exists()
    assert not list(tmp_path.glob(".downloads/*.zip*"))
    assert "checked and unpacked" in capsys.readouterr().err


def test_an_archive_without_takes_is_refused_and_the_rest_stays(ravdess_server, tmp_path, capsys):
    arguments = ["--part", "sound", "--part", "video", "--actors", "5"]
    assert cli.main(["data", "ravdess", *arguments, "--to", str(tmp_path)]) == 1
    assert "no speech take" in capsys.readouterr().err
    assert len(list(tmp_path.glob("RAVDESS/Actor_01/03-01-*.wav"))) == 2


def test_an_archive_that_the_record_lacks_is_named(ravdess_server, tmp_path):
    with pytest.raises(DataError, match="does not hold"):
        fetch_ravdess("video", tmp_path, actors=(7,), retries=0)


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["ravdess", "--actors", "25"], ["--part", "x"]]
)
def test_wrong_usage(arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(["data", *arguments])
    assert stop.value.code == 2


def test_without_a_name_the_corpora_are_listed(capsys):
    assert cli.main(["data"]) == 2
    assert "ravdess, savee" in capsys.readouterr().err


def test_a_corpus_that_needs_registration_says_where_and_whither(tmp_path, capsys):
    assert cli.main(["data", "savee", "--to", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "registration" in out
    assert str(tmp_path / "SAVEE") in out
