from __future__ import annotations

import pytest

from kinebind.errors import InputError
from kinebind.readers.splits import check_splits, split_of


def test_each_subject_has_one_split():
    splits = check_splits({"train": [1, 2, 2], "test": (3,)})
    assert splits == {"train": (1, 2), "test": (3,)}
    assert split_of(splits, 3) == "test"
    with pytest.raises(InputError, match="Subject 4 is in no split"):
        split_of(splits, 4)


def test_wrong_splits_are_refused():
    with pytest.raises(InputError, match="Subject 2 is in two splits, 'train' and 'val'"):
        check_splits({"train": [1, 2], "val": [2]})
    with pytest.raises(InputError, match="'val' is empty"):
        check_splits({"train": [1], "val": []})
