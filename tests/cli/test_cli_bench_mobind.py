"""`kinebind bench mobind`: what it refuses, and all of the study once, in slices, on made-up people."""

from __future__ import annotations

from kinebind.bench import mobind_study


def test_what_cannot_be_studied(tmp_path, kinebind):
    kinebind("bench", "mobind", "--smoke", "--final").refused("--smoke", "--final")
    kinebind("bench", "mobind", "--smoke", "--small").refused("--smoke")
    kinebind("bench", "mobind", "--smoke", "--minutes", "0").refused("--minutes 0")
    kinebind("bench", "sync", "--minutes", "3").refused("--minutes", "sync")
    (tmp_path / "study.txt").write_text("full")
    kinebind("bench", "mobind", "--smoke", "--work", tmp_path).refused("size full")


def test_everything_once_and_in_slices(tmp_path, kinebind):
    """The smoke test: a slice in which two chunks can begin, then the rest; a finished study does nothing again."""
    asked = ("bench", "mobind", "--smoke", "--work", tmp_path / "w", "--json")
    names = [task.name for task in mobind_study.plan(mobind_study.study("smoke", None, tmp_path / "w"))]
    first = kinebind(*asked, "--minutes", "0.605")
    assert first.code == 0
    assert first.json["left"] == names[2:]
    rest = kinebind(*asked)
    assert rest.code == 0
    metrics = rest.json["metrics"]
    keys = (
        "mobind_r1", "imu2clip_r1", "despite_r1", "syncnet_r1", "correlation_r1", "ablation_global_r1",
        "ablation_local_r1", "ablation_token_r1", "stage2_r1", "ego_r1", "dropout_r1_drop3", "mobind_people_each",
        "mobind_parts_together", "har_1nn_mtp", "har_1nn_no_mtp", "har_finetuned_mtp", "sync_mae_ms", "vote_mae_ms",
        "correlation_mae_ms", "sync_mae_ms_3min", "hour_speedup", "hour_max_error_ms", "data_wait_share",
        "train_share_of_bare", "train_windows_per_s_fp32", "train_windows_per_s_bf16",
    )  # fmt: skip
    assert [key for key in keys if key not in metrics] == []
    assert rest.json["variant"] == "small"
    assert {p.name for p in (tmp_path / "w" / "pictures").iterdir()} == {"recall.svg", "dropped.svg", "sync.svg"}
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "w" / "done").iterdir()}
    assert kinebind(*asked).json["metrics"] == metrics
    assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / "w" / "done").iterdir()} == before
