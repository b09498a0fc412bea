"""The verdict on one stage of the boot, made of the causes that its judges find.

A stage is judged once, from facts as the mover leaves them. Rules receive the verdict as a parameter of ``check``, explain its causes and
attach the fixes; the forecast lists the verdicts. The two therefore cannot contradict each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Generic, TypeVar, cast, overload

from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.finding import Fate, Severity, Stage
from v2vlint.model.place import Where

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
_ORDER = (Fate.FAIL, Fate.UNKNOWN, Fate.PASS, Fate.SKIPPED)
LINUX = frozenset({"linux"})
WINDOWS = frozenset({"windows"})


@dataclass(frozen=True, slots=True)
class Cause(Generic[T_co]):
    """One thing that decides or describes a stage.

    ``fate`` is its effect on the stage: FAIL, UNKNOWN, PASS, or SKIPPED when the stage does not take place. ``reason`` is a lower-case
    fragment for the forecast. ``severity`` is that of the finding which explains it: ERROR exactly when it fails the stage, INFO when the
    mover repairs it, None when there is nothing to explain. ``about`` carries the details that rules need for their messages and fixes.
    """

    fate: Fate
    reason: str
    where: Where | None = None
    severity: Severity | None = None
    about: T_co = cast("Any", None)


def fault(stops: bool, reason: str, where: Where | None, about: T) -> Cause[T]:
    """A definite fault: an error that fails the stage where ``stops``, else a warning."""
    return Cause(Fate.FAIL, reason, where, Severity.ERROR, about) if stops else Cause(Fate.PASS, reason, where, Severity.WARNING, about)


def doubt(matters: bool, reason: str, where: Where | None, about: T) -> Cause[T]:
    """A possible fault, reported as a warning; the stage is unknown where it ``matters``."""
    return Cause(Fate.UNKNOWN if matters else Fate.PASS, reason, where, Severity.WARNING, about)


def repaired(reason: str, where: Where | None, about: T) -> Cause[T]:
    """A fault that the mover repairs."""
    return Cause(Fate.PASS, reason, where, Severity.INFO, about)


class Judge(Generic[T]):
    """One question about a stage. ``function`` declares the facts it needs as annotated parameters, and yields causes.

    As an attribute of a :class:`Verdict` it evaluates to the tuple of its causes. FactUnavailable when one of its facts cannot be known.
    """

    name = ""

    def __init__(self, function: Callable[..., Iterator[Cause[T]]]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, verdict: None, owner: type) -> Judge[T]: ...
    @overload
    def __get__(self, verdict: Verdict, owner: type) -> tuple[Cause[T], ...]: ...
    def __get__(self, verdict: Verdict | None, owner: type) -> Judge[T] | tuple[Cause[T], ...]:
        return self if verdict is None else verdict.causes_of(self)


class Verdict:
    """The verdict on one stage. A subclass in ``v2vlint.verdicts`` declares its stage and its place in the order, and has judges as
    attributes.

    ``kinds`` are the operating systems it applies to. ``stops`` says that a failure keeps later stages from being reached; otherwise the
    guest comes up regardless.
    """

    stage: ClassVar[Stage]
    place: ClassVar[int]
    kinds: ClassVar[frozenset[str]]
    stops: ClassVar[bool]

    def __init_subclass__(cls, *, stage: Stage, place: int, kinds: frozenset[str] = LINUX, stops: bool = True) -> None:
        cls.stage, cls.place, cls.kinds, cls.stops = stage, place, kinds, stops

    def __init__(self, call: Callable[[Callable[..., Any]], Any]) -> None:
        self._call = call
        self._known: dict[str, tuple[Cause[Any], ...] | Exception] = {}

    @classmethod
    def judges(cls) -> tuple[Judge[Any], ...]:
        """The stage's judges, in the order in which they are asked."""
        return tuple(value for value in vars(cls).values() if isinstance(value, Judge))

    def causes_of(self, judge: Judge[T]) -> tuple[Cause[T], ...]:
        """The causes ``judge`` finds; it is asked only once. FactUnavailable when a fact it needs cannot be known."""
        if judge.name not in self._known:
            self._known[judge.name] = self._asked(judge)
        known = self._known[judge.name]
        if isinstance(known, Exception):
            raise known
        return known

    def _asked(self, judge: Judge[T]) -> tuple[Cause[T], ...] | Exception:
        try:
            return tuple(self._call(judge.function))
        except MemoryError:
            raise
        except Exception as error:
            # Kept like an answer: every rule that asks gets the same error.
            return error

    @property
    def causes(self) -> tuple[Cause[Any], ...]:
        """All causes, in the order of the judges; a fact that cannot be known becomes a cause with fate UNKNOWN."""
        return tuple(cause for judge in self.judges() for cause in self._told(judge))

    def _told(self, judge: Judge[Any]) -> tuple[Cause[Any], ...]:
        try:
            return self.causes_of(judge)
        except FactUnavailable as reason:
            return (Cause(Fate.UNKNOWN, reason.reason, reason.where),)

    @property
    def decisive(self) -> Cause[Any]:
        """The cause that decides the stage: the first of the worst fate, or if all are harmless the first that needs no explanation."""
        found = self.causes or (Cause(Fate.PASS, "nothing found that would stop it"),)
        return min(found, key=lambda cause: (_ORDER.index(cause.fate), cause.fate is Fate.PASS and cause.severity is not None))

    @property
    def fate(self) -> Fate:
        """PASS, FAIL, UNKNOWN or SKIPPED."""
        return self.decisive.fate
