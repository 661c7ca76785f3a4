"""Looking through a video: what is kept, what a stop costs, who is found going back."""

from __future__ import annotations

import numpy as np
import pytest
from walkers import walker

from kinebind.errors import InputError
from kinebind.video import look_through as looking
from kinebind.video.backend import Seen
from kinebind.video.found import Found, packed, read_part, write_part
from kinebind.video.frames import Damage, frames
from kinebind.video.look_through import look_through
from kinebind.video.video_people import video_people, write_pose_file
from made_up_video import write_video

RATE_HZ = 15.0
ANNA = walker((60, 200), (8, 0), 150.0, colour=1)
BEN = walker((400, 210), (-8, 0), 150.0, colour=5)


def room(number: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.kron(rng.integers(40, 200, (30, 60, 3)), np.ones((8, 8, 1))).astype(np.uint8)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "two.mp4", room, np.arange(0, 12, 1 / RATE_HZ))


class Told:
    """A backend that knows where people are by the time of the frame, found by its number."""

    name = "told"
    lag_s = 0.0

    def __init__(self, people, stop_after=None):
        self.people, self.stop_after = people, stop_after
        self.asked = []

    def detect(self, image, around, *, search):
        k = len(self.asked)
        self.asked.append((len(around), search))
        if self.stop_after is not None and k >= self.stop_after:
            raise KeyboardInterrupt
        return self.people(k / RATE_HZ, around, search)

    def forget(self):
        pass

    def close(self):
        pass


def both(time_s, around, search):
    return [ANNA(time_s), BEN(time_s)]


def test_everybody_is_looked_for_now_and_then_and_those_expected_always(video):
    backend = Told(both)
    found = look_through(video, backend)
    assert len(found) == 180
    assert sum(search for _, search in backend.asked) == 12.0 / looking.SEARCH_EVERY_S
    assert backend.asked[0] == (0, True)
    assert all(count == 2 for count, _ in backend.asked[5:])


def test_what_was_kept_costs_nothing_again_and_a_stop_costs_little(video, tmp_path, monkeypatch):
    monkeypatch.setattr(looking, "PART_S", 3.0)
    whole = look_through(video, Told(both), kept=tmp_path / "whole")
    again = Told(both)
    look_through(video, again, kept=tmp_path / "whole")
    assert again.asked == []

    kept = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        look_through(video, Told(both, stop_after=100), kept=kept)
    done = sum(read_part(p)["time_s"].size for p in sorted(kept.glob("part-*.npz")))
    assert 45 <= done <= 100
    rest = Told(lambda t, around, search: both(t + done / RATE_HZ, around, search))
    found = look_through(video, rest, kept=kept)
    assert len(rest.asked) == 180 - done
    same(found, whole)


def same(found, expected):
    np.testing.assert_array_equal(found.time_s, expected.time_s)
    for a, b in zip(found, expected, strict=True):
        assert len(a.seen) == len(b.seen)
        for p, q in zip(a.seen, b.seen, strict=True):
            np.testing.assert_allclose(p.keypoints, q.keypoints, atol=1e-3)
        np.testing.assert_allclose(a.camera.from_key, b.camera.from_key, atol=0.3)


def test_a_stop_changes_nothing_of_what_a_backend_with_a_memory_finds(video, tmp_path, monkeypatch):
    """What it remembers of the frames before ends with each part, at which a run that was stopped goes on."""

    class Remembers(Told):
        since = 0

        def detect(self, image, around, *, search):
            self.since += 1
            seen = super().detect(image, around, search=search)
            return [Seen(p.keypoints + [0.01 * self.since, 0.0, 0.0], None, p.colours) for p in seen]

        def forget(self):
            self.since = 0

    monkeypatch.setattr(looking, "PART_S", 3.0)
    whole = look_through(video, Remembers(both), kept=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        look_through(video, Remembers(both, stop_after=100), kept=tmp_path / "stopped")
    done = sum(read_part(p)["time_s"].size for p in (tmp_path / "stopped").glob("part-*.npz"))
    assert done > 0
    rest = Remembers(lambda t, around, search: both(t + done / RATE_HZ, around, search))
    same(look_through(video, rest, kept=tmp_path / "stopped"), whole)


def test_a_damaged_part_is_made_again(video, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(looking, "PART_S", 3.0)
    whole = look_through(video, Told(both), kept=tmp_path / "k")
    parts = sorted((tmp_path / "k").glob("part-*.npz"))
    parts[1].write_bytes(parts[1].read_bytes()[:100])
    first = read_part(parts[0])["time_s"].size
    rest = Told(lambda t, around, search: both(t + first / RATE_HZ, around, search))
    same(look_through(video, rest, kept=tmp_path / "k"), whole)
    assert len(rest.asked) == 180 - first
    assert "damaged" in caplog.text


def test_who_is_found_late_was_there_before(video):
    """Ben is found only by looking everywhere, and not at first: the frames before are gone through backwards."""

    def shy(time_s, around, search):
        at = len(backend.asked) - 1
        shown_s = times[at] if at < len(times) else 0.0
        near = any(abs(0.5 * (b[0] + b[2]) - BEN(shown_s).keypoints[:, 0].mean()) < 60 for b in around)
        seen = [ANNA(shown_s)]
        if near or (search and shown_s > 1.5 * looking.SEARCH_EVERY_S):
            seen.append(BEN(shown_s))
        return seen

    class Clocked(Told):
        """Told the frame by the picture's place in the video: going back asks for earlier ones."""

        def detect(self, image, around, *, search):
            self.asked.append((len(around), search))
            if search:
                times.append(self.now)
                self.now += 1 / RATE_HZ
                return shy(0, around, search)
            going_back = bool(self.back)
            times.append(self.back.pop() if going_back else self.now)
            self.now += 0.0 if going_back else 1 / RATE_HZ
            return shy(0, around, search)

    times: list[float] = []
    backend = Clocked(shy)
    backend.now, backend.back = 0.0, []
    go_back = looking._Looking._go_back

    def told(self, people):
        backend.back = [f.time_s for f in self._pending] if people else []
        go_back(self, people)
        backend.back = []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looking._Looking, "_go_back", told)
        found = look_through(video, backend)
    first = next(f.time_s for f in found if len(f.seen) == 2)
    assert first == pytest.approx(looking.SEARCH_EVERY_S, abs=0.1)  # the look before the one at which he was found
    assert all(len(f.seen) == 2 for f in found if f.time_s > looking.SEARCH_EVERY_S + 0.1)
    assert any(any(f.later) for f in found)


def test_parts_keep_what_they_are_given(tmp_path, video):
    def hips_hidden(time_s, around, search):
        points = BEN(time_s).keypoints
        points[11:13] = np.nan
        return [ANNA(time_s), Seen(points, np.full((17, 3), 0.5))]

    found = look_through(video, Told(hips_hidden))
    write_part(tmp_path / "p.npz", packed(found[:20]))
    back = Found()
    back.add_part(read_part(tmp_path / "p.npz"))
    assert len(back) == 20
    np.testing.assert_allclose(back[7].seen[0].keypoints, found[7].seen[0].keypoints, rtol=1e-6)
    assert back[7].seen[0].world_m is None
    np.testing.assert_allclose(back[-1].seen[1].world_m, 0.5)
    assert back[7].seen[1].colours is None
    assert back.sightings == 40
    with pytest.raises(IndexError):
        back[20]
    write_part(tmp_path / "q.npz", packed([]))
    back.add_part(read_part(tmp_path / "q.npz"))
    assert len(back) == 20
    np.savez(tmp_path / "r.npz", **packed(found[:20]) | {"keypoints": np.zeros((3, 17, 3))})
    with pytest.raises(ValueError, match="another shape"):
        read_part(tmp_path / "r.npz")


def test_a_copy_is_known_again_whatever_it_is_called(video, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    video_people(video, Told(both))
    copy, again = tmp_path / "other name.mov", Told(both)
    copy.write_bytes(video.read_bytes())
    video_people(copy, again)
    assert again.asked == []


def test_nobody_at_all(video, tmp_path):
    with pytest.raises(InputError, match="Nobody was found in the 180 frames") as error:
        video_people(video, Told(lambda *_: []), cache=False)
    assert error.value.fix


def test_late_poses_are_moved_and_the_file_gives_them_back(video, tmp_path):
    from kinebind.readers import read_poses

    found = video_people(video, Told(both), cache=False, later_s=-0.045)
    plain = video_people(video, Told(both), cache=False)
    np.testing.assert_allclose(found.people[0].time_s, plain.people[0].time_s - 0.045)
    write_pose_file(found, tmp_path / "p.npz")
    read = read_poses(tmp_path / "p.npz")
    assert [p.person for p in read] == ["1", "2"]
    for a, b in zip(read, found.people, strict=True):
        np.testing.assert_allclose(a.time_s, b.time_s)
        np.testing.assert_allclose(a.keypoints_px, b.keypoints_px)
        assert a.image_size_px == (480, 240)


def test_frames_of_the_video_are_those_that_were_looked_at(video):
    damage = Damage()
    found = look_through(video, Told(both), damage=damage)
    np.testing.assert_array_equal(found.time_s, [f.time_s for f in frames(video)])
    assert damage.notes() == ()
