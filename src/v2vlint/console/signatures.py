"""The table of messages that firmware, boot loaders, guests and converters print: one TOML file per program in ``messages``.

``diagnose``, ``explain --error`` and ``prove`` all read this table. A file is complete in itself and is found by its place. The texts are
written from knowledge of the programs; the comments in a file name them and their sources, for whoever checks one.

A file has ``[[mark]]`` entries (``milestone`` and ``patterns``: lines that show how far a boot came) and ``[[topic]]`` entries:
``meaning``, ``advice`` and ``here`` are sentences for the reader, and each ``[[topic.message]]`` is one message; see :class:`Signature`
for its keys. Its ``lines`` are examples of what the program prints.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path

from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Severity, Stage
from v2vlint.model.plain import JsonObject, Table

FIRMWARE = "firmware"
LOADER = "loader"
KERNEL = "kernel"
INITRAMFS = "initramfs"
ROOT = "root mounted"
INIT = "init"
MOUNTS = "local filesystems"
LOGIN = "login"
NETWORK = "network"

MILESTONES: tuple[tuple[str, Stage], ...] = (
    (FIRMWARE, Stage.FIRMWARE),
    (LOADER, Stage.LOADER),
    (KERNEL, Stage.KERNEL),
    (INITRAMFS, Stage.INITRAMFS),
    (ROOT, Stage.ROOT),
    (INIT, Stage.USERLAND),
    (MOUNTS, Stage.MOUNTS),
    (LOGIN, Stage.CONSOLE),
    (NETWORK, Stage.NETWORK),
)
_FOLDER = Path(__file__).parent / "messages"
_ORDER = {stage: index for index, stage in enumerate(Stage)}


@dataclass(frozen=True, slots=True)
class Mark:
    """A line that shows a milestone."""

    milestone: str
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Topic:
    """What several messages have in common: what happened, what to do, and what v2vlint can tell about it. Sentences."""

    meaning: str
    advice: str
    here: str


@dataclass(frozen=True)
class Signature:
    """One message. ``name`` is unique: its file and its own name. ``stage`` is None for a converter's message, which belongs to no boot.

    ``reason`` is a lower-case fragment in which ``{0}`` is the pattern's first group. A message seen ``stops`` times decides that the boot
    ended; with 0 it only explains an end, because the boot may still recover. ``waits`` says that the boot ended waiting for an operator.
    Of all messages that explain an end, the one with the lowest ``rank`` is reported: 0 names the cause, 1 the consequence, 3
    anything, -1 says more exactly what another one with 0 says.
    ``trouble`` is the severity of a message that neither ends nor explains the end of a boot, such as a service that fails.
    """

    name: str
    stage: Stage | None
    pattern: str
    reason: str
    topic: Topic
    stops: int = 0
    waits: bool = False
    rank: int = 0
    trouble: Severity | None = None
    lines: tuple[str, ...] = ()

    @cached_property
    def exact(self) -> re.Pattern[str]:
        """What a line is searched for."""
        return re.compile(self.pattern)

    @cached_property
    def _loose(self) -> re.Pattern[str]:
        return re.compile(self.pattern, re.IGNORECASE | re.MULTILINE)

    def explain(self, line: str) -> str | None:
        """The reason as text when ``line`` is this message."""
        match = self.exact.search(line)
        return match and self.reason.format(*(group or "" for group in match.groups()))

    def in_text(self, text: str) -> bool:
        """Whether ``text``, as copied by somebody, contains this message; case does not matter."""
        return self._loose.search(text) is not None


def before(stage: Stage, other: Stage) -> bool:
    """Whether a boot passes ``stage`` before ``other``."""
    return _ORDER[stage] < _ORDER[other]


@cache
def marks() -> tuple[Mark, ...]:
    """All lines that show a milestone."""
    return tuple(
        Mark(entry["milestone"], re.compile(pattern))
        for _name, data in _files()
        for entry in data.get("mark", ())
        for pattern in entry["patterns"]
    )


@cache
def signatures() -> tuple[Signature, ...]:
    """All messages. Of those seen the first one explains the end of a boot: the cause before the consequence, earlier stages first."""
    found = [signature for name, data in _files() for signature in _signatures(name, data)]
    return tuple(sorted(found, key=lambda one: (one.rank, -1 if one.stage is None else _ORDER[one.stage])))


@cache
def failures() -> tuple[Signature, ...]:
    """The messages that end a boot or explain its end."""
    return tuple(one for one in signatures() if one.stage is not None and one.trouble is None)


@cache
def troubles() -> tuple[Signature, ...]:
    """The messages about failures that do not stop a boot."""
    return tuple(one for one in signatures() if one.trouble is not None)


def _files() -> Iterator[tuple[str, JsonObject]]:
    for path in sorted(_FOLDER.glob("*.toml")):
        yield path.stem, tomllib.loads(path.read_text("utf-8"))


def _signatures(file: str, data: Table) -> Iterator[Signature]:
    for entry in data.get("topic", ()):
        topic = Topic(entry["meaning"], entry["advice"], entry["here"])
        for message in entry["message"]:
            yield Signature(
                name=f"{file}/{message['name']}",
                stage=Stage(message["stage"]) if "stage" in message else None,
                pattern=message["pattern"],
                reason=message.get("reason", ""),
                topic=topic,
                stops=message.get("stops", 0),
                waits=message.get("waits", False),
                rank=message.get("rank", 0),
                trouble=Severity[message["trouble"].upper()] if "trouble" in message else None,
                lines=tuple(message["lines"]),
            )
