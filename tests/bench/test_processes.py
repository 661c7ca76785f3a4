"""Work in processes of their own: results in order, and nobody left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from kinebind.bench.processes import parallel

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
