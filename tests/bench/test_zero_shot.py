"""The whole of the benchmark of zero-shot: its parts."""

from __future__ import annotations

from kinebind.bench import zero_shot


def test_all_parts_are_measured_with_what_was_asked(tmp_path, monkeypatch):
    asked = []

    def part(name, found):
        def measure(run):
            asked.append((run.data, run.final, run.share))
            return found

        measure.__name__ = name
        monkeypatch.setattr(zero_shot, name, measure)

    for k, name in enumerate(("_utd", "_neura", "_simulated", "_confidence", "_training")):
        part(name, {name: k})
    found = zero_shot.run(tmp_path, final=True, folder=tmp_path / "kept")
    assert found == {"_utd": 0.0, "_neura": 1.0, "_simulated": 2.0, "_confidence": 3.0, "_training": 4.0}
    assert asked == [(tmp_path, True, 1.0)] * 5
    kept = {path.name for path in (tmp_path / "kept").iterdir()}
    assert kept == {"utd.json", "neura.json", "simulated.json", "confidence.json", "training.json"}
