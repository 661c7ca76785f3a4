"""Whether what reading videos needs is installed."""

from __future__ import annotations

from importlib.util import find_spec

from kinebind.errors import InputError


def needs_video() -> None:
    """Raises InputError where the extra `video` is not installed."""
    missing = [name for name in ("av", "cv2") if find_spec(name) is None]
    if missing:
        raise InputError(
            f"Reading videos needs {' and '.join(missing)}, not installed here.",
            "Install the extra: pip install 'kinebind[video]'.",
        )
