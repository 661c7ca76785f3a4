"""What a file format is to Kinebind, and what a sniffer gets to see of a file."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from scipy.io import whosmat

from kinebind.errors import InputError
from kinebind.parts import parse_site
from kinebind.recording import Label

HEAD_BYTES = 65536
"""How much of a file a sniffer sees."""

Kind = Literal["imu", "poses", "motion", "recording"]


@dataclass(frozen=True)
class Head:
    """The start of a file. path: the file. size_bytes: its whole size. data: its first `HEAD_BYTES` bytes."""

    path: Path
    size_bytes: int
    data: bytes

    @cached_property
    def encoding(self) -> str:
        """Text encoding by the byte order mark, "utf-8" without one."""
        if self.data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return "utf-16"
        return "utf-8-sig" if self.data.startswith(b"\xef\xbb\xbf") else "utf-8"

    @cached_property
    def text(self) -> str:
        """The start as text without a byte order mark; bytes that are no text become U+FFFD."""
        return self.data.decode(self.encoding, errors="replace")

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines of `text` without line ends; a last line that the head cuts through is left out."""
        lines = re.split(r"\r\n|\n|\r", self.text.rstrip("\0"))
        cut_through = len(self.data) < self.size_bytes and len(lines) > 1
        return tuple(lines[:-1] if cut_through or not lines[-1] else lines)

    @cached_property
    def is_binary(self) -> bool:
        """Whether the start cannot be text: zero bytes before its end, or many bytes that decode to nothing.

        Zero bytes at the end are what a recorder leaves that lost its power.
        """
        if self.encoding != "utf-16" and b"\0" in self.data.rstrip(b"\0"):
            return True
        return not self.text.strip("\0") or self.text.count("\ufffd") > max(8, len(self.data) // 50)

    @cached_property
    def mat_variables(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the variables of a MATLAB 5 file; empty for any other file."""
        if not self.data.startswith(b"MATLAB 5.0"):
            return {}
        try:
            return {name: tuple(shape) for name, shape, _ in whosmat(str(self.path))}
        except Exception:  # scipy raises whatever a damaged header leads to
            return {}


@dataclass(frozen=True)
class Format:
    """One file format.

    name: short and lower-case, as `--format` takes it ("xsens-mtw"). kind: what the file holds.
    describes: one line for people. sniff: whether a file's content is of this format; never raises.
    read: `read(path, **options)` gives `tuple[Poses, ...]` ("poses"), a `Motion` ("motion") or a `Recording`
    ("recording"); it declares the options that it takes as keyword-only parameters, each with a default that
    means "not given". `read(path, ImuOptions)` gives `tuple[Imu, ...]` ("imu"). Both raise InputError for bad
    content. labels: stretches that an IMU file labels, on the clock of its sensor.
    """

    name: str
    kind: Kind
    describes: str
    sniff: Callable[[Head], bool]
    read: Callable[..., Any]
    labels: Callable[[Path], tuple[Label, ...]] | None = None


def read_head(path: str | Path) -> Head:
    """The start of a file; raises InputError where it is missing, a folder, unreadable or empty."""
    file = Path(path)
    try:
        status = file.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{file} is a folder.", "Name a file inside it.")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{file} is a device or pipe, not a plain file.", "Write its content to a file first.")
        with file.open("rb") as stream:
            data = stream.read(HEAD_BYTES)
    except InputError:  # which is a ValueError, too
        raise
    except FileNotFoundError as error:
        raise InputError(f"There is no file {file}.", "Check the path.") from error
    except PermissionError as error:
        raise InputError(f"{file} may not be read: no permission.", "Change the file's permissions.") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read: {error}.", "Check the path and the disk.") from error
    if not data:
        raise InputError(f"{file} is empty.", "Export it again.")
    return Head(file, status.st_size, data)


def site_in_name(name: str) -> str | None:
    """The one sensor site that words of a file's or sensor's name tell ("p01_left_wrist"), else None."""
    words = re.split(r"[^A-Za-z]+", name)
    found = set()
    for start in range(len(words)):
        for stop in range(start + 1, min(start + 4, len(words)) + 1):
            try:
                site = parse_site("_".join(words[start:stop]))
            except InputError:
                continue
            found.add(site)
    return found.pop() if len(found) == 1 else None
