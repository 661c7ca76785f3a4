"""Plain content comes back as it was; whatever else a pickle holds is refused by name, and nothing of it is run."""

from __future__ import annotations

import collections
import os
import pickle
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinebind.errors import InputError
from kinebind.readers.pickles import read_npy, read_pickle

SOME = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
PLAIN = {
    "matrix": np.arange(6.0).reshape(2, 3), "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "big endian": np.arange(3, dtype=">i4"), "mask": np.array([True, False]), "words": np.array(["ab", "c"]),
    "nothing": np.zeros((0, 3)), "one": np.float32(3.5), "count": np.int64(-4), "z": 1 + 2j,
    "mixed": (1, [2.5, {3}], None, b"\xff", "é", True), "ordered": collections.OrderedDict(a=1),
}  # fmt: skip


def same(a, b):
    assert type(a) is type(b) or isinstance(b, dict)
    if isinstance(b, np.ndarray):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype.newbyteorder("=")
    else:
        assert a == b


def write(path, data):
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("protocol", range(6))
def test_plain_content_comes_back_at_every_protocol(tmp_path, protocol):
    found = read_pickle(write(tmp_path / "a.cpl", pickle.dumps(PLAIN, protocol=protocol)))
    assert list(found) == list(PLAIN)
    for name, value in PLAIN.items():
        same(found[name], value)
    found["matrix"][0, 0] = 7.0  # arrays belong to the reader


@pytest.mark.parametrize("protocol", range(6))
def test_objects_in_arrays_become_lists(tmp_path, protocol):
    objects = np.empty((2, 1), dtype=object)
    objects[0, 0], objects[1, 0] = {"x": np.arange(3)}, None
    ((first,), (second,)) = read_pickle(write(tmp_path / "a.pkl", pickle.dumps(objects, protocol=protocol)))
    np.testing.assert_array_equal(first["x"], [0, 1, 2])
    assert second is None


def test_what_is_shared_stays_shared(tmp_path):
    array = np.arange(3)
    a, b = read_pickle(write(tmp_path / "a.pkl", pickle.dumps([array, array])))
    assert a is b


def test_npy_of_numbers_and_of_objects(tmp_path):
    for value in (np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(3, 2)), np.float64(2)):
        np.save(tmp_path / "a.npy", value)
        np.testing.assert_array_equal(read_npy(tmp_path / "a.npy"), value)
    np.save(tmp_path / "a.npy", {"aria01": {"betas": np.arange(10.0)}}, allow_pickle=True)
    np.testing.assert_array_equal(read_npy(tmp_path / "a.npy")["aria01"]["betas"], np.arange(10.0))
    np.save(tmp_path / "a.npy", np.array([{"human_name": "aria01"}, {}]), allow_pickle=True)
    assert read_npy(tmp_path / "a.npy") == [{"human_name": "aria01"}, {}]


class Attack:
    """Makes a file where it is loaded carelessly."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(6))
def test_a_malicious_file_is_refused_by_name_and_not_run(tmp_path, protocol):
    victim = tmp_path / "made by the attack"
    path = write(tmp_path / "subject1_all_labels.cpl", pickle.dumps({"x": [1, Attack(victim)]}, protocol=protocol))
    with pytest.raises(InputError, match=rf"{os.mkdir.__module__}\.mkdir") as caught:
        read_pickle(path)
    assert str(path) in caught.value.what
    assert not victim.exists()
    pickle.loads(path.read_bytes())
    assert victim.exists()  # so it was an attack


def test_a_malicious_npy_is_not_run_either(tmp_path):
    victim = tmp_path / "made by the attack"
    np.save(tmp_path / "00001.npy", np.array([Attack(victim)], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="mkdir"):
        read_npy(tmp_path / "00001.npy")
    assert not victim.exists()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("getattr", b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93."),
        ("eval", b"cbuiltins\neval\n(S'1'\ntR."),
        # A dotted name would walk into a module that an allowed name leads to.
        ("numpy.testing", b"\x80\x04\x8c\x05numpy\x8c\x0btesting.run\x93."),
        ("PERSID", b"Pmine\n."),
        ("INST", b"(S'ls'\nios\nsystem\n."),
        ("EXT1", b"\x80\x02\x82\x01."),
        # An allowed function as a value, and one that is given a state.
        ("bare", b"\x80\x04\x8c\x05numpy\x8c\x07ndarray\x93."),
        ("state", b"\x80\x04\x8c\x05numpy\x8c\x07ndarray\x93}b."),
        ("NEWOBJ", b"\x80\x04\x8c\x05numpy\x8c\x07ndarray\x93)\x81."),
        # Room for two billion memo entries, and for a gigabyte that is not there.
        ("memo", b"\x80\x04Nr\xff\xff\xff\x7f."),
        ("expected", b"\x80\x05\x96" + struct.pack("<Q", 1 << 30) + b"."),
        ("bytes of something", b"\x80\x04\x8c\x08builtins\x8c\tbytearray\x93J\xff\xff\xff\x7f\x85R."),
    ],
)
def test_crafted_operations_are_refused(tmp_path, name, data):
    with pytest.raises(InputError, match=name):
        read_pickle(write(tmp_path / "a.pkl", data))


class Foreign:
    """Something of another program."""


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Foreign(), "Foreign"),
        (np.zeros(2, dtype=[("a", "f8"), ("b", object)]), "numpy data of the type 'V16'"),
        (np.array(["2020-01-01"], dtype="M8[D]"), "type 'M8'"),
        (np.ma.array([1.0]), "numpy.ma"),
        (collections.Counter("ab"), "collections.Counter"),
        (len, "builtins.len"),
    ],
)
def test_other_classes_are_named(tmp_path, value, told):
    with pytest.raises(InputError, match=told):
        read_pickle(write(tmp_path / "a.pkl", pickle.dumps(value)))


def test_a_forged_type_cannot_smuggle_pointers_into_an_array(tmp_path):
    """numpy itself would take bytes for object pointers where a type's state lies about what it holds."""
    array = pickle.dumps(np.array([1.0]), protocol=2)
    assert array.count(b"f8") == 1
    path = write(tmp_path / "a.pkl", array.replace(b"f8", b"O8"))
    with pytest.raises(InputError, match="do not fill"):
        read_pickle(path)
    with pytest.raises(InputError, match="bytes do not fill"):
        read_pickle(write(path, array.replace(b"f8", b"f4")))


def test_what_holds_itself_and_what_is_too_deep_is_refused(tmp_path):
    loop = []
    loop.append(loop)
    with pytest.raises(InputError, match="holds itself"):
        read_pickle(write(tmp_path / "a.pkl", pickle.dumps(loop)))
    with pytest.raises(InputError, match="cannot be read"):
        read_pickle(write(tmp_path / "a.pkl", b"]" * 100_000 + b"a" * 99_999 + b"."))


def test_missing_and_other_files(tmp_path):
    with pytest.raises(InputError, match="no file"):
        read_pickle(tmp_path / "none.pkl")
    with pytest.raises(InputError, match="cannot be read as pickle"):
        read_pickle(write(tmp_path / "a.pkl", b"PK\x03\x04 a zip"))
    with pytest.raises(InputError, match=r"cannot be read as \.npy"):
        read_npy(write(tmp_path / "a.npy", pickle.dumps(1)))
    np.save(tmp_path / "a.npy", np.zeros(3, dtype=[("a", "f8")]))
    with pytest.raises(InputError, match="structured"):
        read_npy(tmp_path / "a.npy")
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }".ljust(117) + b"\n"
    write(tmp_path / "a.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(80))
    with pytest.raises(InputError, match="80 bytes do not fill"):
        read_npy(tmp_path / "a.npy")


WHOLE = [pickle.dumps({**PLAIN, "objects": np.array([{"a": 1}, None])}, protocol=p) for p in (0, 2, 4, 5)]


def survives(read, path):
    try:
        return read(path)
    except InputError:
        return None


@SOME
@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 3000))
def test_truncated_pickles(tmp_path, which, cut):
    survives(read_pickle, write(tmp_path / "a.pkl", WHOLE[which][:cut] or b"\0"))


@SOME
@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 2**31))
def test_damaged_pickles(tmp_path, which, seed):
    rng = np.random.default_rng(seed)
    data = bytearray(WHOLE[which])
    for place in rng.integers(0, len(data), rng.integers(1, 12)):
        data[place] = rng.integers(0, 256)
    survives(read_pickle, write(tmp_path / "a.pkl", bytes(data)))
    np.save(tmp_path / "a.npy", np.array([{"a": np.arange(3.0)}]), allow_pickle=True)
    data = bytearray((tmp_path / "a.npy").read_bytes())
    for place in rng.integers(0, len(data), rng.integers(1, 6)):
        data[place] = rng.integers(0, 256)
    survives(read_npy, write(tmp_path / "a.npy", bytes(data)))


@SOME
@given(st.binary(min_size=1, max_size=60))
def test_garbage(tmp_path, data):
    survives(read_pickle, write(tmp_path / "a.pkl", data))
    survives(read_pickle, write(tmp_path / "a.pkl", b"\x80\x04" + data + b"."))
    survives(read_npy, write(tmp_path / "a.npy", b"\x93NUMPY\x01\x00" + data))
