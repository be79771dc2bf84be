"""Folders are searched with all that is in them."""

from emorec.media.find import find_clips


def test_linked_folders_are_searched_once(tmp_path):
    for folder in ("here/inner", "there"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.wav").write_bytes(b"")
    here = tmp_path / "here"
    (here / "linked").symlink_to(tmp_path / "there")
    (here / "inner" / "back").symlink_to(here)
    (tmp_path / "there" / "again").symlink_to(here / "inner")
    assert find_clips([str(here)]) == [here / "inner" / "a.wav", here / "linked" / "a.wav"]
