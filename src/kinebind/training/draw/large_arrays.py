"""Arrays that may be larger than memory: beyond some size they lie in a file, of which memory holds what is in use."""

from __future__ import annotations

import math
import shutil
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kinebind.errors import InputError

MOST_IN_MEMORY = 1 << 30
"""Bytes; larger arrays lie in a file."""


def large_array(shape: tuple[int, ...], near: Path | None = None) -> npt.NDArray[np.float32]:
    """A float32 array to fill. A larger one lies in a file without a name, which is gone when the array is.

    near: folder for that file; where it cannot be written or is full, and where none is named, the system's folder for
    temporary files. Raises InputError where there is no place for it.
    """
    size = 4 * math.prod(shape)
    if size <= MOST_IN_MEMORY:
        return np.empty(shape, np.float32)
    problem = "too little space"
    for folder in (near, Path(tempfile.gettempdir())):
        if folder is None:
            continue
        try:
            # A file that is mapped takes its space only when it is filled, and a full disk would then end the process.
            if shutil.disk_usage(folder).free < size:
                continue
            with tempfile.TemporaryFile(dir=folder) as file:
                return np.memmap(file, np.float32, "w+", shape=shape)
        except OSError as error:
            problem = error.strerror or str(error)
    raise InputError(
        f"{size / 1e9:.1f} GB of motion find no place on a disk: {problem}.",
        "Free some space beside the corpus, or take a part of it.",
    )
