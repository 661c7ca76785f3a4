"""Work in processes of their own: results in order, and nobody left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from kinebind.bench.processes import kept_in, once, parallel

_LEFT_ALONE = """
import os, sys, time
from kinebind.bench.processes import workers

def task(path):
    open(path, "w").write(str(os.getpid()))
    time.sleep(600)

if __name__ == "__main__":
    workers(1).submit(task, sys.argv[1])
    time.sleep(600)
"""


def test_results_come_in_order():
    assert parallel(abs, range(-9, 0)) == list(range(9, 0, -1))


def test_workers_of_a_killed_run_end(tmp_path):
    script, told = tmp_path / "run.py", tmp_path / "pid"
    script.write_text(_LEFT_ALONE)
    run = subprocess.Popen([sys.executable, str(script), str(told)])
    try:
        _wait_until(lambda: told.exists() and told.read_text())
        worker = int(told.read_text())
        os.kill(run.pid, signal.SIGKILL)
    finally:
        run.kill()
        run.wait()
    _wait_until(lambda: not _runs(worker))


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _wait_until(happened) -> None:
    for _ in range(600):
        if happened():
            return
        time.sleep(0.1)
    raise AssertionError("it did not happen within a minute")


def test_what_is_kept_is_not_made_again(tmp_path):
    made = []

    def make(value):
        made.append(value)
        return value

    with kept_in(tmp_path / "own"):
        assert parallel(abs, range(-90, 0)) == list(range(90, 0, -1))
        assert once(lambda: make(1)) == 1
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "own").iterdir()}
    assert len(files) == 4
    # The same calls in the same order; a piece that is lost is made again.
    lost = sorted(files)[0]
    lost.unlink()
    with kept_in(tmp_path / "own"):
        assert parallel(abs, range(-90, 0)) == list(range(90, 0, -1))
        assert once(lambda: make(2)) == 1
    assert made == [1]
    assert lost.exists()
    assert all(path.stat().st_mtime_ns == when for path, when in files.items() if path != lost)
    # Elsewhere, and without a folder, nothing is taken from it.
    with kept_in(tmp_path / "other"):
        assert once(lambda: make(3)) == 3
    with kept_in(None):
        assert once(lambda: make(4)) == 4
    assert made == [1, 3, 4]
