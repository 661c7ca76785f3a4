"""Which column of a table is what: the user's column map, or the usual names in the header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kinebind.errors import InputError
from kinebind.readers.units import ACC_UNITS, GYR_UNITS, TIME_UNITS, parse_unit

_ROLES = ("time", "ax", "ay", "az", "gx", "gy", "gz", "mx", "my", "mz", "qx", "qy", "qz", "qw", "sensor")

_ACC = {"acc", "accel", "acceleration", "accelerometer", "accelerations", "accl", "a"}
_GYR = {
    "gyr", "gyro", "gyroscope", "gyros", "rotation", "rotationrate", "omega", "w", "g", "av",
    "angularvelocity", "angvel",
}  # fmt: skip
_MAG = {"mag", "magn", "magnetometer", "magnetic", "magneticfield", "m"}
_QUAT = {"quat", "quaternion", "q", "ori", "orientation", "quaternions"}
_KINDS = {"a": _ACC, "g": _GYR, "m": _MAG, "q": _QUAT}
_UNIT_TELLS = {"a": ACC_UNITS, "g": GYR_UNITS}
_AXES = {"a": "xyz123", "g": "xyz123", "m": "xyz123", "q": "xyzw01234rijk"}
_LINEAR = {"linear", "lin", "user", "free", "freeacc", "linacc", "useracceleration", "useraccel"}
_NOT_INERTIAL = {"gravity", "grav", "euler", "pos", "position", "vel", "velocity", "std", "var", "bias", "temp"}
_TIME = {
    "time", "timestamp", "timestamps", "t", "ts", "unixtime", "unixtimestamp", "unix", "epoch", "epoc", "datetime",
    "date", "sampletime", "elapsed", "seconds", "timestep", "sampletimefine", "clock",
}  # fmt: skip
_SENSOR = {"sensor", "device", "sensorid", "deviceid", "sensorname", "devicename", "mac", "imu", "imuid"}
_FILLER = {"cal", "calibrated", "uncal", "raw", "value", "axis", "data", "field", "sensor", "msg", "s2", "unix"}


@dataclass(frozen=True)
class ColumnMap:
    """Names of a table's columns.

    time: or None where the rate gives the time. acc, gyr, mag: x, y, z. quat: four names, in the order of the
    quaternion's components as the file lists them. quat_order: "xyzw" or "wxyz" where the names tell it.
    sensor: a column that says which sensor a row is of. group: what the names call this sensor ("" for one).
    gravity_free: the names say that gravity was removed ("linear acceleration").
    """

    time: str | None
    acc: tuple[str, str, str]
    gyr: tuple[str, str, str] | None = None
    quat: tuple[str, str, str, str] | None = None
    mag: tuple[str, str, str] | None = None
    sensor: str | None = None
    quat_order: str | None = None
    group: str = ""
    gravity_free: bool = False

    @staticmethod
    def parse(text: str) -> ColumnMap:
        """A map from what `--columns` takes: "time=t,ax=AccX,ay=AccY,az=AccZ,gx=…".

        Raises InputError for roles that do not exist, and for vectors that lack an axis.
        """
        roles: dict[str, str] = {}
        for part in filter(None, (p.strip() for p in text.split(","))):
            role, equals, name = part.partition("=")
            if not equals or role.strip() not in _ROLES:
                raise InputError(f"--columns has '{part}'.", f"Write ROLE=NAME with the roles {', '.join(_ROLES)}.")
            roles[role.strip()] = name.strip()
        return _from_roles(roles)

    def names(self) -> tuple[str, ...]:
        """All numeric columns: time first where there is one, then acc, gyr, quat, mag."""
        first = (self.time,) if self.time is not None else ()
        return (*first, *self.acc, *(self.gyr or ()), *(self.quat or ()), *(self.mag or ()))

    def require(self, columns: Sequence[str]) -> None:
        """Raises InputError unless all names are columns of the table."""
        wanted = (*self.names(), *((self.sensor,) if self.sensor else ()))
        lacking = [name for name in wanted if name not in columns]
        if lacking:
            raise InputError(f"The table has no column '{lacking[0]}'.", f"It has: {', '.join(columns)}.")


def _from_roles(roles: dict[str, str]) -> ColumnMap:
    def triple(kind: str) -> tuple[str, str, str] | None:
        found = [roles.get(kind + axis) for axis in "xyz"]
        if not any(found):
            return None
        if not all(found):
            raise InputError(f"--columns names only some of {kind}x, {kind}y, {kind}z.", "Name all three.")
        return str(found[0]), str(found[1]), str(found[2])

    acc = triple("a")
    if acc is None:
        raise InputError("--columns names no acceleration.", "Add ax=NAME,ay=NAME,az=NAME.")
    quat = [roles.get("q" + axis) for axis in "xyzw"]
    if any(quat) and not all(quat):
        raise InputError("--columns names only some of qx, qy, qz, qw.", "Name all four.")
    four = (str(quat[0]), str(quat[1]), str(quat[2]), str(quat[3])) if all(quat) else None
    return ColumnMap(
        roles.get("time"), acc, triple("g"), four, triple("m"), roles.get("sensor"), "xyzw" if four else None
    )


@dataclass(frozen=True)
class _Name:
    """A header's meaning: its kind ("a", "g", "m", "q"), axis, what else it says, and its unit."""

    kind: str
    axis: str
    rest: tuple[str, ...]
    linear: bool


def split_unit(header: str) -> tuple[str, str | None]:
    """A column's name without its unit, and the unit where brackets or an ending declare one.

    `split_unit("acc_x (g)") == ("acc_x", "g")`, `split_unit("gyro_y_dps") == ("gyro_y", "deg/s")`.
    """
    match = re.fullmatch(r"(.*?)\s*[(\[{](.+)[)\]}]\s*", header)
    if match and (unit := parse_unit(match[2])):
        return match[1], unit
    words = re.split(r"[_\s.]+", header)
    for tail in (3, 2, 1):
        if len(words) > tail:
            ending = words[-tail:]
            unit = parse_unit("/".join(ending)) if tail > 1 else parse_unit(ending[0])
            # One letter is a unit only behind an axis: "acc_x_g", but not "vector_s".
            if unit and (len(ending[0]) > 1 or words[-tail - 1].lower() in {"x", "y", "z", "time", "timestamp", "t"}):
                return header[: header.lower().rindex(ending[0].lower())].rstrip("_ ."), unit
    return header, None


def _words(name: str) -> list[str]:
    text = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    text = re.sub(r"(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])", " ", text)
    words = [w for w in re.split(r"[^a-z0-9]+", text.lower()) if w]
    joined = "_".join(words)
    for pair in ("angular_velocity", "rotation_rate", "angular_rate", "ang_vel", "gyr_rate", "user_acceleration"):
        joined = joined.replace(pair, "omega" if pair[0] != "u" else "user_acc")
    return [w for w in joined.split("_") if w]


def _meaning(header: str) -> _Name | None:
    """What a header means, or None where it names no axis of an inertial quantity."""
    name, unit = split_unit(header)
    words = _words(name)
    if _NOT_INERTIAL & set(words):
        return None
    two = [w for w in words if re.fullmatch(r"([amg][xyz])|(w[xyz])|(q[wxyz])", w)]
    if two:
        letter = "g" if two[0][0] == "w" else two[0][0]
        rest = [w for w in words if w != two[0]]
        return _Name(letter, two[0][1], _rest(rest, letter), bool(_LINEAR & set(rest)))
    long_ = [w for w in words if len(w) > 1]
    for letter, names in _KINDS.items():
        hit = next((w for w in long_ if w in names), None) or next((w for w in words if w in names), None)
        if hit is None and unit in _UNIT_TELLS.get(letter, {}):
            hit = "axis"  # "x-axis (g)": the unit tells the kind
        axes = [w for w in words if w != hit and len(w) == 1 and w in _AXES[letter]]
        if hit is not None and axes:
            axis = axes[-1] if axes[-1] not in "rijk" else "wxyz"["rijk".index(axes[-1])]
            rest = list(words)
            rest.remove(axes[-1])
            return _Name(letter, axis, _rest(rest, letter), bool(_LINEAR & set(words)))
    return None


def _rest(words: list[str], letter: str) -> tuple[str, ...]:
    known = _KINDS[letter] - {"w", "a", "g", "m", "q"} | _LINEAR | _FILLER | {letter}
    return tuple(w for w in words if w not in known)


def find_columns(headers: Sequence[str]) -> list[ColumnMap]:
    """The sensors that a header's names tell of, one map each, in the order of the columns.

    Understands `acc_x`, `ax`, `AccX`, `accel_x (g)`, `x_acc`, `gyro_x`, `gx`, `wx`, `quat_w`, `q0` and their like,
    with what else the name says as the sensor's ("left_wrist_acc_x").
    Raises InputError that lists the columns where no acceleration is found.
    """
    groups: dict[tuple[str, ...], dict[str, str]] = {}
    for header in headers:
        if meaning := _meaning(header):
            role = ("l" if meaning.linear and meaning.kind == "a" else meaning.kind) + meaning.axis
            groups.setdefault(meaning.rest, {}).setdefault(role, header)
    time = next((h for h in headers if _is_time(h)), None)
    sensor = next((h for h in headers if "".join(_words(h)) in _SENSOR), None)
    with_acc = [k for k, g in groups.items() if _triple(g, "a") or _triple(g, "l")]
    plain = [k for k in with_acc if _triple(groups[k], "a")]
    chosen = plain or with_acc
    if not chosen:
        raise InputError(
            f"No acceleration columns found among: {', '.join(headers)}.",
            "Name them: --columns time=NAME,ax=NAME,ay=NAME,az=NAME,gx=NAME,gy=NAME,gz=NAME.",
        )
    maps = []
    for key in chosen:
        own = groups[key]
        # A lone sensor may call its gyroscope otherwise than its accelerometer ("Accel_LN_X", "Gyro_X").
        others = [g for k, g in groups.items() if k not in chosen] if len(chosen) == 1 else []
        quat, order = _quat([own, *others])
        vectors = {kind: next(filter(None, (_triple(g, kind) for g in [own, *others])), None) for kind in "gm"}
        acc = _triple(own, "a") or _triple(own, "l")
        assert acc is not None
        maps.append(ColumnMap(
            time, acc, vectors["g"], quat, vectors["m"], sensor, order, "_".join(key) if len(chosen) > 1 else "",
            not _triple(own, "a"),
        ))  # fmt: skip
    return maps


def _triple(group: dict[str, str], kind: str) -> tuple[str, str, str] | None:
    for axes in ("xyz", "123"):
        found = [group.get(kind + axis) for axis in axes]
        if all(found):
            return str(found[0]), str(found[1]), str(found[2])
    return None


def _quat(groups: list[dict[str, str]]) -> tuple[tuple[str, str, str, str] | None, str | None]:
    """Four columns and their order; numbered columns tell no order."""
    for group in groups:
        for axes, order in (("xyzw", "xyzw"), ("0123", None), ("1234", None)):
            found = [group.get("q" + axis) for axis in axes]
            if all(found):
                return (str(found[0]), str(found[1]), str(found[2]), str(found[3])), order
    return None, None


def _is_time(header: str) -> bool:
    name, unit = split_unit(header)
    words = _words(name)
    return bool(words) and (set(words) & _TIME != set()) and len(words) <= 3 and (unit is None or unit in TIME_UNITS)


def declared_units(maps: Sequence[ColumnMap], headers: Sequence[str], unit_row: Sequence[str]) -> dict[str, str]:
    """Units that the header declares, keyed "acc", "gyr" and "time"; a row of units counts as brackets do."""
    under = dict(zip(headers, unit_row, strict=False))
    out: dict[str, str] = {}
    for kind, table in (("acc", ACC_UNITS), ("gyr", GYR_UNITS), ("time", TIME_UNITS)):
        for m in maps:
            names = {"acc": m.acc, "gyr": m.gyr or (), "time": (m.time,) if m.time else ()}[kind]
            found = {parse_unit(under.get(n, "")) or split_unit(n)[1] for n in names} & set(table)
            if len(found) == 1:
                out.setdefault(kind, str(found.pop()))
    return out
