"""A file is written in full or not at all, and the message says what to do."""

import pytest

from fleetslo.errors import OutputError
from fleetslo.files import folder, write_file


def test_a_file_and_its_folders_are_written(tmp_path):
    path = write_file(tmp_path / "a" / "b" / "c.txt", "ü")
    assert path.read_bytes() == "ü".encode()
    assert write_file(path, b"again").read_bytes() == b"again"
    assert [p.name for p in path.parent.iterdir()] == ["c.txt"]


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for attempt in (folder, lambda path: write_file(path, "x")):
        with pytest.raises(
            OutputError, match=r"file.*; a file stands where a folder is needed; move"
        ):
            attempt(tmp_path / "file" / "deeper")
    with pytest.raises(OutputError, match=r"file.*; a file stands where a folder is needed"):
        folder(tmp_path / "file")


def test_a_folder_in_the_way_is_named_and_nothing_is_left(tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(OutputError, match=r"; a folder stands where a file is needed"):
        write_file(tmp_path / "there", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_place_that_cannot_be_written_is_refused():
    with pytest.raises(OutputError, match=r"/proc/.*; "):
        folder(__import__("pathlib").Path("/proc/fleetslo"))
