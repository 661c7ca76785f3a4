"""Pickles and object .npy files of strangers, read without running what is in them.

A pickle is a program that may call anything. Here it may build plain containers, numbers, strings and numpy arrays
of plain numbers, and nothing else: every other class ends with an InputError that names it, before it is imported.
Not even numpy's own functions are called from within a pickle, as a forged state can corrupt memory through them:
arrays are put together here, from the bytes and the shape that the file gives.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from kinebind.errors import InputError
from kinebind.readers.formats_base import read_head

_DTYPE = re.compile(r"[biufc]\d{1,2}|[SUO]\d*")
_FORBIDDEN = {"PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "INST", "OBJ", "NEXT_BUFFER", "READONLY_BUFFER"}
_MEMO = {"PUT", "BINPUT", "LONG_BINPUT"}
_FIX = "Fetch the file again from its publisher, or convert it to plain numpy arrays."


def read_pickle(path: str | Path) -> Any:
    """What a pickle holds: dicts, lists, tuples, sets, numbers, strings, None, and numpy arrays of plain numbers.

    Object arrays come back as (nested) lists, one without dimensions as its content; ordered dicts as dicts.
    Raises InputError for any other class (with its name), and for damaged files.
    """
    return _loaded(str(path), _bytes(path))


def read_npy(path: str | Path) -> Any:
    """The content of an .npy file: an array of numbers as such, an object array as `read_pickle` gives it.

    Raises InputError for damaged files, structured arrays, and whatever `read_pickle` refuses.
    """
    data = _bytes(path)
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, in_columns, dtype = read(stream)
    except Exception as error:  # numpy raises whatever a damaged header leads to
        raise _damaged(str(path), ".npy", error) from error
    rest = data[stream.tell() :]
    if dtype == np.dtype(object):
        return _loaded(str(path), rest)
    try:
        return _array(rest[: math.prod(shape) * dtype.itemsize], dtype, shape, in_columns)
    except (ValueError, TypeError, OverflowError) as error:
        raise _damaged(str(path), ".npy", error) from error


def _bytes(path: str | Path) -> bytes:
    file = read_head(path).path
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}.", "Check the path and the disk.") from error


def _loaded(place: str, data: bytes) -> Any:
    try:
        _check_operations(data)
        # Latin 1, as Python 2 wrote its arrays as strings of any bytes.
        raw = _Unpickler(io.BytesIO(data), encoding="latin1").load()
        return _plain(raw, {})
    except InputError as error:
        raise error.at(place) from error
    except Exception as error:  # a damaged pickle raises nearly anything
        raise _damaged(place, "pickle", error) from error


def _damaged(place: str, kind: str, error: Exception) -> InputError:
    return InputError(f"{place} cannot be read as {kind}: {str(error) or type(error).__name__}.", _FIX)


def _refused(name: str) -> NoReturn:
    raise InputError(f"it holds {name}, which may run code and is not loaded.", _FIX)


def _check_operations(data: bytes) -> None:
    """Raises for operations that reach outside the file, and for sizes that the file cannot fill."""
    for operation, argument, _ in pickletools.genops(data):
        if operation.name in _FORBIDDEN:
            _refused(f"the pickle operation {operation.name}")
        # The C reader makes room for all lower numbers as well.
        if operation.name in _MEMO and int(argument or 0) > len(data):
            raise ValueError("a memo number is larger than the file")


class _Made:
    """Stands for a class or function that a pickle may name. It is no class, so nothing can be changed through it."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *args: Any) -> Any:
        return self._make(*args)

    def __setstate__(self, state: Any) -> None:
        raise ValueError("a function is given a state")


class _Dtype:
    """A numpy dtype on its way."""

    __slots__ = ("code", "order")

    def __init__(self, code: Any, *_: Any) -> None:
        if not isinstance(code, str) or not _DTYPE.fullmatch(code):
            _refused(f"numpy data of the type {code!r}")
        self.code, self.order = code, "="

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 5 or state[2:5] != (None, None, None):
            _refused("a structured numpy type")
        if state[1] not in ("<", ">", "|", "="):
            raise ValueError(f"byte order {state[1]!r}")
        self.order = state[1]

    def build(self) -> np.dtype[Any]:
        """The dtype itself."""
        return np.dtype(object if self.code[0] == "O" else self.order.replace("|", "=") + self.code)


class _Array:
    """A numpy array on its way; `content` once its state is there."""

    __slots__ = ("content",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.content: Any = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, in_columns, raw = state
        self.content = _content(raw, dtype, shape, bool(in_columns))


def _content(raw: Any, dtype: Any, shape: Any, in_columns: bool) -> Any:
    """An array, or for objects their list with its shape, from what a pickle says of it."""
    if not isinstance(dtype, _Dtype) or not isinstance(shape, tuple):
        raise ValueError("an array without a type or a shape")
    if not all(isinstance(side, int) and side >= 0 for side in shape):
        raise ValueError(f"an array of the shape {shape}")
    if dtype.code[0] == "O":
        if not isinstance(raw, list) or len(raw) != math.prod(shape):
            raise ValueError("objects do not fill their array")
        return raw, shape, in_columns
    if isinstance(raw, str):
        raw = raw.encode("latin1")
    return _array(raw, dtype.build(), shape, in_columns)


def _array(raw: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], in_columns: bool) -> np.ndarray:
    """A writable array of plain numbers or text from its bytes, in native byte order."""
    if dtype.hasobject or dtype.names is not None or dtype.subdtype is not None:
        _refused("a structured numpy type")
    if len(raw) != math.prod(shape) * dtype.itemsize or dtype.itemsize == 0:
        raise ValueError(f"{len(raw)} bytes do not fill an array of the shape {shape}")
    array = np.frombuffer(raw, dtype).reshape(shape, order="F" if in_columns else "C")
    return array.astype(dtype.newbyteorder("="))


def _scalar(dtype: Any, raw: Any) -> Any:
    value = _content(raw, dtype, (), False)
    return value[()]


def _from_buffer(raw: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    array = _Array()
    array.content = _content(bytes(raw), dtype, shape, order == "F")
    return array


def _encoded(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"the encoding {encoding}")
    return text.encode("latin1")


def _as_bytes(*args: Any) -> bytes:
    # A number would ask for that many bytes.
    if args and not isinstance(args[0], bytes | bytearray):
        raise ValueError("bytes of something else")
    return bytes(args[0]) if args else b""


_BUILTINS: dict[str, Callable[..., Any]] = {
    "set": set, "frozenset": frozenset, "complex": complex, "bytes": _as_bytes, "bytearray": _as_bytes,
}  # fmt: skip
_NAMES: dict[tuple[str, str], Callable[..., Any]] = {
    **{(module, name): make for module in ("builtins", "__builtin__") for name, make in _BUILTINS.items()},
    ("_codecs", "encode"): _encoded,
    ("collections", "OrderedDict"): dict,
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): lambda *_: _Array(),
    **{(f"numpy.{core}.multiarray", "_reconstruct"): lambda *_: _Array() for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
}


class _Unpickler(pickle.Unpickler):
    """Finds what `_NAMES` holds and imports nothing."""

    def find_class(self, module: str, name: str) -> Any:
        make = _NAMES.get((module, name))
        if make is None:
            _refused(f"an object of {module}.{name}")
        return _Made(make)

    def persistent_load(self, pid: Any) -> NoReturn:
        _refused("a reference outside the file")


def _plain(value: Any, done: dict[int, Any]) -> Any:
    """The value with its arrays put in place; what is shared is built once, what holds itself is refused."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | bytearray | np.generic):
        return value
    key = id(value)
    if key in done:
        if done[key] is _BUSY:
            raise ValueError("an object holds itself")
        return done[key]
    done[key] = _BUSY
    out: Any
    if isinstance(value, dict):
        out = {_plain(k, done): _plain(v, done) for k, v in value.items()}
    elif isinstance(value, list | tuple | set | frozenset):
        out = type(value)([_plain(v, done) for v in value])
    elif isinstance(value, _Array):
        out = value.content
        if isinstance(out, tuple):
            objects, shape, in_columns = out
            array = np.empty(len(objects), dtype=object)
            for i, item in enumerate(objects):
                array[i] = _plain(item, done)
            out = array.reshape(shape, order="F" if in_columns else "C").tolist()
        elif out is None:
            raise ValueError("an array without its state")
    else:
        _refused("a bare class, function or type")
    done[key] = out
    return out


_BUSY = object()
