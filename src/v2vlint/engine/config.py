"""Configuration: ``[tool.v2vlint]`` in pyproject.toml, or v2vlint.toml, found upwards. Every mistake is one UsageError with its place."""

from __future__ import annotations

import dataclasses
import datetime
import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, TypeVar

from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import UsageError
from v2vlint.model.finding import Mover, Severity
from v2vlint.model.plain import JsonObject, Table
from v2vlint.target.profile import MAX_TOML, read_toml

MOST = (1 << 31) - 1
"""The largest number of jobs or seconds."""
FILE, PROJECT = "v2vlint.toml", "pyproject.toml"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Exempt:
    """An exception: findings of ``id`` in images matching ``image`` (and at guest paths matching ``path``) do not count, for ``reason``.

    It is valid up to and including the day ``expires``. ``where`` is its place in the configuration.
    """

    id: str
    reason: str
    image: str = "*"
    path: str = ""
    expires: datetime.date | None = None
    where: str = ""


@dataclass(frozen=True, slots=True)
class Anchor:
    """Images matching the glob ``match`` are built from the repository file ``recipe``."""

    match: str
    recipe: str


@dataclass(frozen=True, slots=True)
class RecipeNames:
    """Images matching the glob ``image`` are built from ``files``, files or folders of the repository; their lines are searched."""

    image: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Config:
    """The settings in a configuration file; None and empty mean not set. Relative paths start from ``folder``."""

    origin: str = ""
    folder: Path = Path()
    target: tuple[str, ...] = ()
    mover: Mover | None = None
    profile: str = ""
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_on: Severity | None = None
    strict: bool | None = None
    jobs: int | None = None
    format: str = ""
    report: tuple[str, ...] = ()
    baseline: str = ""
    docs_url: str = ""
    memory_limit: str = ""
    cpu_limit: int | None = None
    time_limit: int | None = None
    allow_folder: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    severity: Mapping[str, Severity] = field(default_factory=dict)
    exceptions: tuple[Exempt, ...] = ()
    images: tuple[Anchor, ...] = ()
    recipes: tuple[RecipeNames, ...] = ()
    targets: Mapping[str, Table] = field(default_factory=dict)

    def over(self, base: Config) -> Config:
        """``base`` overridden by this one, key by key; origin and folder stay those of ``base``."""
        said = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)[2:]}
        return dataclasses.replace(base, **{name: value for name, value in said.items() if value not in (None, "", (), {})})


def find(start: Path) -> Path | None:
    """The nearest configuration file at ``start`` or above: v2vlint.toml, or a pyproject.toml with our table."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder / FILE
        if (folder / PROJECT).is_file() and _mentions_us(folder / PROJECT):
            return folder / PROJECT
    return None


def _mentions_us(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return b"tool.v2vlint" in stream.read(MAX_TOML)
    except OSError:
        return False


def read(path: Path) -> Config:
    """The configuration in ``path``; UsageError when it cannot be read, is not TOML, or has an unknown key."""
    data = read_toml(path)
    for key in ("tool", "v2vlint") if path.name == PROJECT else ():
        data = _TABLE(data.get(key, {}), f"{path.name}: {key}")
    return parse(data, path.name, path.parent)


def confined(config: Config) -> Config:
    """``config``, restricted because it was found, not named: it may have come with untrusted images. UsageError for files elsewhere."""
    folder = config.folder.resolve()
    hint = f"if you trust it, pass --config {shlex.quote(str(config.folder / config.origin))}"
    for key, value in (("allow-folder", config.allow_folder), ("rules", config.rules)):
        if value:
            raise UsageError(f"{config.origin}: {key} is allowed only in a configuration given with --config", hint=hint)
    files = [folder / name for name in config.target if name not in config.targets and ("/" in name or "." in name)]
    files += [folder / name for recipe in config.recipes for name in recipe.files]
    files += [folder / config.baseline, *(Path(report.partition("=")[2]) for report in config.report)]
    for file in files:
        if not file.resolve().is_relative_to(folder):
            raise UsageError(f"{config.origin}: {file} is outside its folder, and the configuration was found rather than given", hint=hint)
    return config


def parse(data: Table, origin: str, folder: Path = Path()) -> Config:
    """A configuration from TOML data."""
    return Config(origin=origin, folder=folder, **_fields(data, KEYS, origin))


def _fields(data: Table, keys: Mapping[str, Callable[[Any, str], Any]], place: str) -> JsonObject:
    values: JsonObject = {}
    for key, value in data.items():
        if key not in keys:
            raise UsageError(f"{place}: unknown key {key!r}", hint=_near(key, keys))
        values[key.replace("-", "_")] = keys[key](value, f"{place}: {key}")
    return values


def _near(key: str, keys: Mapping[str, object]) -> str:
    import difflib

    near = difflib.get_close_matches(key.replace("_", "-"), keys, 1)
    return f"did you mean {near[0]}?" if near else f"known keys: {', '.join(keys)}"


def _a(kind: type[T], word: str) -> Callable[[Any, str], T]:
    def convert(value: Any, place: str) -> T:
        # Not isinstance: in Python, true is a whole number.
        if type(value) is not kind:
            raise UsageError(f"{place}: must be {word}")
        return value

    return convert


def _choice(options: Mapping[str, T]) -> Callable[[Any, str], T]:
    def convert(value: Any, place: str) -> T:
        if not isinstance(value, str) or value not in options:
            raise UsageError(f"{place}: must be one of {', '.join(options)}")
        return options[value]

    return convert


def _positive(value: Any, place: str) -> int:
    if type(value) is not int or value < 1:
        raise UsageError(f"{place}: must be a positive whole number")
    if value > MOST:
        raise UsageError(f"{place}: must be at most {MOST}")
    return value


def _url(value: Any, place: str) -> str:
    if not isinstance(value, str) or (value and not value.startswith(("https://", "http://"))):
        raise UsageError(f"{place}: must be a URL that starts with https://")
    return value.rstrip("/")


def _jobs(value: Any, place: str) -> int:
    return len(os.sched_getaffinity(0)) if value == "auto" else _positive(value, place)


def _strings(value: Any, place: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UsageError(f"{place}: must be a text or a list of texts")
    return tuple(value)


def _memory(value: Any, place: str) -> str:
    if type(value) is int:
        value = str(value)
    if not isinstance(value, str):
        raise UsageError(f"{place}: must be a size such as '2GiB'")
    return value


def _levels(value: Any, place: str) -> dict[str, Severity]:
    return {key: SEVERITY(level, f"{place}.{key}") for key, level in _TABLE(value, place).items()}


def _tables(value: Any, place: str) -> JsonObject:
    return {key: _TABLE(item, f"{place}.{key}") for key, item in _TABLE(value, place).items()}


def _day(value: Any, place: str) -> datetime.date:
    # TOML also has times, and a datetime is a date.
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value
    try:
        return datetime.date.fromisoformat(value)
    except (TypeError, ValueError):
        raise UsageError(f"{place}: must be a date such as 2026-12-31") from None


def _each(
    build: Callable[[JsonObject, str], T], keys: Mapping[str, Callable[[Any, str], Any]], needed: tuple[str, ...]
) -> Callable[[Any, str], tuple[T, ...]]:
    def convert(value: Any, place: str) -> tuple[T, ...]:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise UsageError(f"{place}: must be tables, written as [[{place.rsplit(' ', 1)[-1]}]]")
        return tuple(_one(item, f"{place} #{number}") for number, item in enumerate(value, 1))

    def _one(item: Table, place: str) -> T:
        values = _fields(item, keys, place)
        missing = [key for key in needed if not values.get(key)]
        if missing:
            raise UsageError(f"{place}: {' and '.join(missing)} missing")
        return build(values, place)

    return convert


_TEXT = _a(str, "a text")
_FLAG = _a(bool, "true or false")
_TABLE = _a(dict, "a table")
SEVERITY = _choice({level.label: level for level in Severity})
MOVER = _choice({mover.value: mover for mover in Mover})
_EXCEPTION_KEYS = {"id": _TEXT, "image": _TEXT, "path": _TEXT, "reason": _TEXT, "expires": _day}
KEYS: dict[str, Callable[[Any, str], Any]] = {
    "target": _strings, "mover": MOVER, "profile": _TEXT, "select": _strings, "ignore": _strings, "fail-on": SEVERITY, "strict": _FLAG,
    "jobs": _jobs, "format": _TEXT, "report": _strings, "baseline": _TEXT, "docs-url": _url,
    "memory-limit": _memory, "cpu-limit": _positive, "time-limit": _positive, "allow-folder": _strings, "rules": _strings,
    "severity": _levels, "targets": _tables,
    "exceptions": _each(lambda values, place: Exempt(**values, where=place), _EXCEPTION_KEYS, ("id", "reason")),
    "images": _each(lambda values, _place: Anchor(**values), {"match": _TEXT, "recipe": _TEXT}, ("match", "recipe")),
    "recipes": _each(lambda values, _place: RecipeNames(**values), {"image": _TEXT, "files": _strings}, ("image", "files")),
}  # fmt: skip
