"""What each benchmark of `kinebind bench` does: goes on with what takes long, then measures.

Each benchmark's module is imported by its own plan, as no other command needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from kinebind.cli.console import Screen

Figures = dict[str, float]


@dataclass(frozen=True, eq=False)
class Asked:
    """What a user asks of a benchmark. data: folder of the sets; work: of what is trained."""

    data: Path
    work: Path
    size: Literal["smoke", "small", "full"]
    final: bool
    fit: bool
    minutes: float | None
    device: str | None
    seeds: int | None
    screen: Screen

    @property
    def small(self) -> bool:
        """Whether few cases are wanted."""
        return self.size == "small"


@dataclass(frozen=True, eq=False)
class Left:
    """What is not finished when the minutes are over: in words, and by name."""

    text: str
    names: tuple[str, ...]


def _nothing_left() -> Left | None:
    return None


@dataclass(frozen=True, eq=False)
class Plan:
    """A benchmark on its way. measure: its figures, once `go_on` has left nothing.

    opened: the test sets were opened before, by the run that this one goes on with. opens_first: `go_on` opens them,
    and not only `measure`.
    """

    measure: Callable[[], Figures]
    go_on: Callable[[], Left | None] = _nothing_left
    opened: bool = False
    opens_first: bool = False


def _sync(asked: Asked) -> Plan:
    from kinebind.bench import calibrate, kept_parts, sync

    kept = not asked.small and not asked.fit  # a fit changes what is measured
    folder = kept_parts.folder_of(asked.work, "sync", final=asked.final) if kept else None

    def measure() -> Figures:
        if asked.fit:
            calibrate.fit(asked.data)
        return sync.run(asked.data, final=asked.final, small=asked.small, folder=folder)

    return Plan(measure, opened=folder is not None and folder.exists())


def _simulate(asked: Asked) -> Plan:
    from kinebind.bench import simulate

    return Plan(partial(simulate.run, asked.data, final=asked.final))


def _mobind(asked: Asked) -> Plan:
    from kinebind.bench import mobind_study

    smoke = asked.size == "smoke"
    study = mobind_study.study(
        asked.size, None if smoke else asked.data, asked.work, final=asked.final, device=asked.device
    )

    def go_on() -> Left | None:
        left = mobind_study.work(study, asked.minutes)
        return Left(str(left), tuple(left.tasks)) if left.tasks else None

    return Plan(partial(mobind_study.figures, study), go_on, opened=study.opened_test, opens_first=True)


def _zero_shot(asked: Asked) -> Plan:
    from kinebind.bench import kept_parts, zero_shot, zero_shot_mobind
    from kinebind.nn.model import Model

    if asked.small:  # has no time to train a rival
        return Plan(partial(zero_shot.run, asked.data, None, final=asked.final, small=True, folder=None))
    rivals: list[Model] = []

    def go_on() -> Left | None:
        found = zero_shot_mobind.rival(asked.data, asked.work, asked.minutes)
        if found is None:
            return Left("MoBind's training is not finished", ("mobind",))
        rivals.append(found)
        return None

    folder = kept_parts.folder_of(asked.work, "zero-shot", final=asked.final)

    def measure() -> Figures:
        return zero_shot.run(asked.data, rivals[0], final=asked.final, small=False, folder=folder)

    return Plan(measure, go_on, opened=folder is not None and folder.exists())


def _free_sources(asked: Asked) -> Plan:
    from kinebind.bench import free_sources

    folder = asked.work / "free-sources"
    return Plan(
        partial(free_sources.metrics, asked.data, folder, small=asked.small),
        lambda: _trainings(free_sources.work(asked.data, folder, small=asked.small, minutes=asked.minutes)),
    )


def _named_movements(asked: Asked) -> Plan:
    from kinebind.bench import named_movements
    from kinebind.nn.sentences import sentence_encoder

    folder, encoder = asked.work / "named-movements", sentence_encoder()
    return Plan(
        partial(named_movements.metrics, asked.data, folder, encoder, small=asked.small),
        lambda: _trainings(named_movements.work(asked.data, folder, small=asked.small, minutes=asked.minutes)),
    )


def _multi3net(asked: Asked) -> Plan:
    from kinebind.bench import multi3net

    folder = asked.work / "multi3net"
    return Plan(
        partial(multi3net.metrics, asked.data, folder, final=asked.final, small=asked.small),
        lambda: _trainings(multi3net.work(asked.data, folder, small=asked.small, minutes=asked.minutes)),
    )


def _video(asked: Asked) -> Plan:
    from kinebind.video.extra import needs_video

    needs_video()
    from kinebind.bench import video

    return Plan(partial(video.run, asked.data, small=asked.small))


def _video_memory(asked: Asked) -> Plan:
    from kinebind.video.extra import needs_video

    needs_video()
    from kinebind.bench import video

    return Plan(partial(video.memory, asked.data, small=asked.small))


def _har(asked: Asked) -> Plan:
    from kinebind.bench import har
    from kinebind.bench.har_runs import SEEDS
    from kinebind.nn.sentences import sentence_encoder
    from kinebind.tasks.binder import shipped_once

    encoder = None
    if shipped_once().model.config.text:
        encoder = sentence_encoder()  # before hours of training, as it may be missing
    else:
        asked.screen.say("The shipped weights have learnt no words: nothing is recognised by words.")
    folder = har.folder_of(asked.work, final=asked.final, small=asked.small)
    seeds = SEEDS if asked.seeds is None else asked.seeds

    def go_on() -> Left | None:
        left = har.work(asked.data, folder, final=asked.final, small=asked.small, minutes=asked.minutes, seeds=seeds)
        return _trainings(left)

    measure = partial(har.metrics, asked.data, folder, encoder, final=asked.final, small=asked.small, seeds=seeds)
    return Plan(measure, go_on, opened=folder.exists(), opens_first=True)


def _har_trust(asked: Asked) -> Plan:
    from kinebind.bench import har_trust

    return Plan(partial(har_trust.run, asked.data, small=asked.small))


def _trainings(names: list[str]) -> Left | None:
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return Left(f"Trainings left: {shown}", tuple(names)) if names else None


PLANS: Mapping[str, Callable[[Asked], Plan]] = {
    "sync": _sync, "simulate": _simulate, "mobind": _mobind, "zero-shot": _zero_shot, "free-sources": _free_sources,
    "named-movements": _named_movements, "multi3net": _multi3net, "har": _har, "har-trust": _har_trust, "video": _video,
    "video-memory": _video_memory,
}  # fmt: skip
"""Benchmarks by name."""
