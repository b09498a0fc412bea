"""The base class of rules, and the examples that serve as their tests, documentation and fix specification."""

from __future__ import annotations

import enum
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any, ClassVar

from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Finding, Mover, Severity, Stage, Unknown
from v2vlint.model.fix import Fix
from v2vlint.model.place import Device, Where

_GUEST = Device("guest")


class Audience(enum.StrEnum):
    """DEFAULT rules always run; PEDANTIC ones are heuristics or hygiene, and run in the ``strict`` profile or when selected."""

    DEFAULT = "default"
    PEDANTIC = "pedantic"


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link in an example's guest."""

    target: str


@dataclass(frozen=True, slots=True)
class Hive:
    """A registry hive in an example's guest, written as the text of a ``.reg`` file: see :mod:`v2vlint.samples.regf`."""

    text: str


Content = str | bytes | Link | Hive
"""The content of a file in an example."""


@dataclass(frozen=True, slots=True)
class Example:
    """A guest in a few literals, and what the rule reports for it.

    ``files`` maps guest paths to text, bytes, a :class:`Link` or a :class:`Hive`; ``given`` supplies other facts. ``flags`` lists the
    expected findings as ``PATH:LINE`` (``PATH`` for whole files, ``PATH:KEY:VALUE`` in the registry, the device name for devices), in
    order; ``severity`` is that of the first one. ``fixed`` holds the files as the fix leaves them (None: deleted). ``unknown`` expects the
    rule to answer "could not tell". ``uuid`` is that of the filesystem with these files; without one, boot loaders cannot tell devices
    apart.
    """

    files: Mapping[str, Content]
    given: tuple[object, ...] = ()
    flags: tuple[str, ...] = ()
    severity: Severity | None = None
    fixed: Mapping[str, Content | None] | None = None
    target: str = "kvm"
    mover: Mover = Mover.RAW
    unknown: bool = False
    title: str = ""
    uuid: str = ""


class Rule(ABC):
    """A judgement over facts. Subclasses are stateless; the parameters of ``check`` are the facts it needs, by annotation.

    ``check`` yields findings made with :meth:`finding` and unknowns made with :meth:`unknown`; it may raise
    :class:`~v2vlint.model.errors.NotApplicable` before the first one. ``kinds`` are the operating systems it applies to. ``predicts`` holds
    regular expressions for fatal messages of converters or guests that this rule foresees (used by ``explain --error``).
    """

    id: ClassVar[str] = ""
    severity: ClassVar[Severity] = Severity.WARNING
    stage: ClassVar[Stage | None] = None
    audience: ClassVar[Audience] = Audience.DEFAULT
    kinds: ClassVar[frozenset[str]] = frozenset({"linux"})
    since: ClassVar[str] = ""
    predicts: ClassVar[tuple[str, ...]] = ()
    examples: ClassVar[tuple[Example, ...]] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.id = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()

    @abstractmethod
    def check(self, *args: Any, **kwargs: Any) -> Iterator[Finding | Unknown]:
        """Judge the facts and yield findings and unknowns."""

    def finding(
        self,
        where: Where | None,
        message: str,
        effect: str = "",
        *,
        fix: Fix | None = None,
        severity: Severity | None = None,
        related: tuple[Where, ...] = (),
        stage: Stage | None = None,
    ) -> Finding:
        """A finding of this rule; severity and stage default to the rule's. A finding below ERROR does not fail a stage.

        Without a place the finding is about the guest as a whole.
        """
        level = self.severity if severity is None else severity
        failing = (stage or self.stage) if level is Severity.ERROR else None
        return Finding(self.id, level, where or _GUEST, message, effect, fix, related, failing)

    def unknown(self, where: Where | None, reason: str) -> Unknown:
        """Report that the rule could not decide, with the reason."""
        return Unknown(self.id, where or _GUEST, reason)


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """What reports print about a rule, without importing its pack."""

    id: str
    group: str
    title: str
    severity: Severity
    audience: Audience
    fixable: bool
    since: str
    pack: str
    help: str = ""
    facts: tuple[str, ...] = field(default=())
