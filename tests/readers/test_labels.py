"""Label files: what people write is understood, what cannot be is refused with what to do."""

from __future__ import annotations

import json

import pytest

from kinebind import InputError
from kinebind.output.label_tracks import write_csv, write_elan, write_label_studio
from kinebind.readers.labels import read_labels
from kinebind.recording import Label

OWN = [(Label(1.0, 2.5, "walk"), 0.9), (Label(2.5, 4.25, "sit down"), 0.7)]


def told(labels):
    return [(own.start_s, own.end_s, own.name) for own in labels]


@pytest.mark.parametrize(
    ("write", "name"),
    [(write_csv, "a.csv"), (write_elan, "a.eaf"), (lambda p, t: write_label_studio(p, t, "1"), "a.json")],
)
def test_what_kinebind_writes_it_reads(tmp_path, write, name):
    write(tmp_path / name, {"watch": OWN})
    assert told(read_labels(tmp_path / name)) == told(own for own, _ in OWN)
    write(tmp_path / name, {"watch": OWN, "phone": OWN[:1]})
    assert told(read_labels(tmp_path / name, "phone")) == told([OWN[0][0]])
    with pytest.raises(InputError, match="2 tiers: watch, phone"):
        read_labels(tmp_path / name)
    with pytest.raises(InputError, match="no tier 'ring'"):
        read_labels(tmp_path / name, "ring")


@pytest.mark.parametrize(
    "text",
    [
        "start_s,end_s,label\n1,2.5,walk\n2.5,4.25,sit down\n",
        "label;start;end\nsit down;2,5;4,25\nwalk;1;2,5\n",
        "Start (ms)\tEnd (ms)\tActivity\n1000\t2500\twalk\n\n2500\t4250\tsit down\n",
        "begin_time,end_time,action\n0:01,0:02.5,walk\n0:02.5,0:00:04.25,sit down\n",
    ],
)
def test_tables_as_people_write_them(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    assert told(read_labels(path)) == told(own for own, _ in OWN)


def test_dates_in_any_zone_and_unix_milliseconds_are_unix_seconds(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(
        "start,end,label\n2025-03-09T14:00:00Z,2025-03-09T15:00:10+01:00,a\n1741528810000,1741528811500,b\n"
        "2025-03-09 14:00:12,1741528813,c\n"
    )
    assert told(read_labels(path)) == [
        (1741528800.0, 1741528810.0, "a"), (1741528810.0, 1741528811.5, "b"), (1741528812.0, 1741528813.0, "c"),
    ]  # fmt: skip


def test_text_in_any_script_and_rows_without_a_name(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("start,end,label\n0,1,歩く\n1,2,\n2,3,Übung\n", encoding="utf-8")
    assert told(read_labels(path)) == [(0.0, 1.0, "歩く"), (2.0, 3.0, "Übung")]


def test_what_somebody_annotated_goes_before_what_a_model_said(tmp_path):
    def region(name):
        return {"type": "timeserieslabels", "value": {"start": 0, "end": 1, "timeserieslabels": [name]}}

    task = {
        "data": {}, "annotations": [{"result": [region("mine"), {"type": "choices", "value": {}}]}],
        "predictions": [{"result": [region("its")]}],
    }  # fmt: skip
    path = tmp_path / "a.json"
    path.write_text(json.dumps(task))
    assert told(read_labels(path)) == [(0.0, 1.0, "mine")]


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("a.csv", "start,label\n1,walk\n", "no column for the end"),
        ("a.csv", "start,end,label\n2,1,walk\n", "ends at 1 s, before"),
        ("a.csv", "start,end,label\n1,soon,walk\n", "line 2: 'soon' is no time"),
        ("a.csv", "start,end,label\n1,nan,walk\n", "'nan' is no time"),
        ("a.csv", "start,end,label\n1,2\n", "line 2 has 2 cells"),
        ("a.csv", "start,end,label\n", "no label"),
        ("a.csv", "", "is empty"),
        ("a.eaf", "<ANNOTATION_DOCUMENT>", "no whole XML"),
        ("a.json", "{", "no whole JSON"),
        ("a.json", "[3]", "no export"),
        ("a.json", "[]", "no label"),
        ("a.json", '[{"annotations": [3]}]', "cannot be read"),
        (
            "a.json",
            '[{"annotations": [{"result": [{"type": "timeserieslabels", "value": {"timeserieslabels": ["a"]}}]}]}]',
            "cannot be read",
        ),
    ],
)
def test_what_cannot_be_understood(tmp_path, name, text, what):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match=what):
        read_labels(path)


def test_an_annotation_without_a_time(tmp_path):
    path = tmp_path / "a.eaf"
    write_elan(path, {"watch": OWN})
    path.write_text(path.read_text().replace(' TIME_VALUE="1000"', ""))
    with pytest.raises(InputError, match="'walk' has no time"):
        read_labels(path)
    (tmp_path / "b.csv").write_bytes(b"\x00\x01\x02")
    with pytest.raises(InputError):
        read_labels(tmp_path / "b.csv")
