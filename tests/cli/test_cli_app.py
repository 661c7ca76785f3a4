"""The program itself: version, help, errors, exit codes, streams."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest

import kinebind as package
from kinebind.cli import main, sync
from kinebind.cli.app import app, run

COMMANDS = (
    "align", "pose", "sync", "locate", "search", "simulate", "inspect", "convert", "embed", "recognise", "train",
    "test", "export", "calibrate", "demo", "bench",
)  # fmt: skip


def program(*words, **options):
    script = "from kinebind.cli import main; main()"
    return subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, **options)


def test_help_names_every_command(kinebind):
    for words in ((), ("--help",), ("-h",)):
        said = kinebind(*words)
        assert said.code == 0
        assert all(name in said.out for name in COMMANDS)
    assert {c.name or c.callback.__name__ for c in app.registered_commands} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_json_and_quiet(kinebind, name):
    said = kinebind(name, "--help")
    assert said.code == 0
    assert "--json" in said.out
    assert "--quiet" in said.out


def test_wrong_usage_says_what_and_where_to_look(kinebind):
    kinebind("sing").refused("sing", "kinebind --help")
    kinebind("sync").refused("POSE SITE=FILE", "kinebind sync --help")
    kinebind("sync", "a", "--bogus").refused("--bogus", "kinebind sync --help")
    kinebind("sync", "a", "--fps", "fast").refused("--fps")
    kinebind("sync", "a", "--fps").refused("--fps", "kinebind sync --help")


def test_an_empty_word_is_no_path(kinebind, tmp_path, monkeypatch):
    """A variable of the shell that is not set must not mean the current folder."""
    monkeypatch.chdir(tmp_path)
    kinebind("simulate", "--out", "").refused("behind '--out'")
    kinebind("simulate", "--out=").refused("behind '--out='")
    kinebind("inspect", "").refused("behind 'inspect'")
    assert list(tmp_path.iterdir()) == []


def test_errors_in_json_are_one_object_on_stdout(kinebind):
    for words in (("sync", "nowhere.npz", "--json"), ("sync", "--bogus", "--json"), ("bench", "none", "--json")):
        said = kinebind(*words)
        assert said.code == 2
        assert set(said.json) == {"error"}
        assert said.json["error"]["what"]
        assert f"error: {said.json['error']['what']}" in said.err


def test_the_process_exits_with_the_code(tmp_path):
    done = program("inspect", str(tmp_path / "nothing.csv"), "--json")
    assert done.returncode == 2
    assert "There is no file" in json.loads(done.stdout)["files"][0]["error"]["what"]
    assert "Traceback" not in done.stderr


def test_main_takes_the_arguments_of_the_process(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["kinebind", "--version"])
    with pytest.raises(SystemExit) as leaving:
        main()
    assert leaving.value.code == 0
    assert capsys.readouterr().out == f"kinebind {package.__version__}\n"


@pytest.mark.parametrize(
    ("error", "words"),
    [(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "disk.csv"), "disk.csv: No space left"),
     (MemoryError(), "not enough memory")],
)  # fmt: skip
def test_what_the_system_refuses_is_told_without_a_traceback(monkeypatch, kinebind, error, words):
    def fail(*_):
        raise error

    monkeypatch.setattr(sync, "check_out", fail)
    said = kinebind("sync", "a.npz")
    assert said.code == 2
    assert words in said.err
    assert "Traceback" not in said.err


def test_an_interrupt_leaves_with_130(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sync, "check_out", interrupt)
    assert run(["sync", "a.npz"]) == 130


@pytest.mark.parametrize(("sent", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_who_ends_the_program_half_way_finds_nothing_half_written(tmp_path, sent, code):
    script = (
        # Whatever runs the tests in the background leaves Ctrl-C ignored.
        "import os, signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from kinebind.cli import main, simulate\n"
        f"simulate.write_toml = lambda *_: os.kill(os.getpid(), signal.{sent})\nmain()"
    )
    words = [sys.executable, "-c", script, "simulate", "--duration", "4", "--offset", "0"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_while_the_program_loads_is_no_traceback():
    script = (
        "import sys\nfrom kinebind.cli import main\n"
        "class Interrupt:\n    def find_spec(self, name, *_):\n"
        "        if name == 'kinebind.cli.app': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt())\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", script, "demo"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_fault_of_the_program_is_not_dressed_up_as_bad_input(monkeypatch):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(sync, "check_out", fail)
    with pytest.raises(ZeroDivisionError):
        run(["sync", "a.npz"])


def test_a_closed_pipe_is_no_error(walk):
    read, write = os.pipe()
    os.close(read)
    script = "from kinebind.cli import main; main()"
    words = ["inspect", "poses.npz", "--json"]
    done = subprocess.run([sys.executable, "-c", script, *words], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert done.returncode == 1
    assert done.stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize("words", [["inspect", "poses.npz"], ["inspect", "poses.npz", "--json"], ["sync", "--json"]])
def test_a_full_disk_behind_stdout_is_told(walk, words):
    script = "from kinebind.cli import main; main()"
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", script, *words], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_the_package_gives_read_and_sync_when_asked():
    fresh = "import sys, kinebind; assert 'kinebind.tasks' not in sys.modules; print(kinebind.read, kinebind.sync)"
    done = subprocess.run([sys.executable, "-c", fresh], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "function read" in done.stdout
    assert "function sync" in done.stdout
    assert set(package.__all__) <= {*dir(package), "read", "sync", "SyncResult"}
    assert all(getattr(package, name) is not None for name in package.__all__)
    with pytest.raises(AttributeError, match="no attribute 'sing'"):
        _ = package.sing
