"""A folder is written whole or not at all, and what else lies in it or beside it is left alone."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from kinebind import InputError
from kinebind.output.folder import check_out, folder_written_whole


def write(target, files, error=None):
    """Write files into a folder, and fail before its end where an error is given."""
    with folder_written_whole(target, outdated=["a", "b"]) as part:
        for name, text in files.items():
            (part / name).write_text(text)
        if error is not None:
            raise error


def everything(folder):
    return {str(p.relative_to(folder)): p.read_text() if p.is_file() else None for p in folder.rglob("*")}


@pytest.mark.parametrize("place", ["new", "deep/er/new", "there"])
def test_files_land_and_strangers_stay(tmp_path, place):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine").write_text("mine")
    (tmp_path / "there" / "a").write_text("old")
    (tmp_path / "there" / "b").write_text("outdated")
    target = tmp_path / place
    write(target, {"a": "new"})
    assert everything(target) == {"a": "new"} | ({"mine": "mine"} if place == "there" else {})
    assert {p.name for p in tmp_path.iterdir()} == {"there", place.split("/")[0]}


@pytest.mark.parametrize("place", ["new", "deep/er/new", "there"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt()])
def test_whatever_goes_wrong_leaves_everything_as_it_was(tmp_path, place, error):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a").write_text("old")
    before = everything(tmp_path)
    with pytest.raises((InputError, KeyboardInterrupt)) as told:
        write(tmp_path / place, {"a": "half"}, error)
    assert everything(tmp_path) == before
    if isinstance(error, OSError):
        assert "No space left on device" in told.value.what
        assert "--out" in told.value.fix


@pytest.fixture
def somebody(tmp_path):
    """Somebody without rights in the working folder, save in `open`, which belongs to all."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    tmp_path.chmod(0o555)
    if os.geteuid() != 0:
        yield
    else:
        # The folders above belong to root; who has given up root's rights must still get through them.
        modes = {p: m for p in tmp_path.parents if (m := p.stat().st_mode) & 0o011 != 0o011}
        for folder, mode in modes.items():
            folder.chmod(mode | 0o011)
        os.seteuid(65534)
        yield
        os.seteuid(0)
        for folder, mode in modes.items():
            folder.chmod(mode)
    tmp_path.chmod(0o755)


@pytest.mark.usefixtures("somebody")
def test_a_folder_that_may_be_written_needs_no_rights_beside_it(tmp_path):
    """As with the root of a disk, beside which nothing can be written or moved."""
    write(tmp_path / "open", {"a": "new"})
    assert everything(tmp_path / "open") == {"a": "new"}
    with pytest.raises(InputError, match="no permission"):
        check_out(tmp_path / "new")


def test_a_folder_in_a_files_place_is_told_and_nothing_is_moved(tmp_path):
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match="b is a folder, where a file must go"):
        write(tmp_path, {"a": "new", "b": "new"})
    assert everything(tmp_path) == {"b": None}


def test_the_current_folder_can_be_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for k, name in enumerate((".", "../" + tmp_path.name)):
        write(Path(name), {str(k): "new"})
    assert everything(tmp_path) == {"0": "new", "1": "new"}
