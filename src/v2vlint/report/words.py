"""Phrases shared by several formats: places, sizes, operating systems, counts. The results may contain guest text: escape them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from v2vlint.model.finding import Mover, Severity
from v2vlint.model.fix import (
    AppendInitramfs,
    Applicability,
    CopyFile,
    Delete,
    Edit,
    Fix,
    Rebuild,
    RegistryDeleteKey,
    RegistrySet,
    ReplaceText,
    WriteData,
    WriteFile,
)
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Span
from v2vlint.model.report import EarlierProof, Fate, FindingReport, Forecast, RootReport
from v2vlint.model.source import HostFileInfo
from v2vlint.report.escape import visible
from v2vlint.report.walk import Hit, Tally

_FATES = {Fate.PASS: "boots", Fate.FAIL: "does not boot", Fate.UNKNOWN: "may not boot", Fate.SKIPPED: "was not checked"}
_SAFETY = {Applicability.SAFE: "safe", Applicability.UNSAFE: "unsafe", Applicability.MANUAL: "by hand"}


def count(number: int, noun: str) -> str:
    """``1 error``, ``2 errors``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def opened(file: HostFileInfo) -> str:
    """An opened host file: its path and size, and its SHA-256 if requested."""
    if not file.before:
        return f"{file.path} ({size(file.size)})"
    after = "" if file.after == file.before else f", afterwards {file.after or 'not readable'}"
    return f"{file.path} ({size(file.size)}, sha256 {file.before}{after})"


def proven(one: EarlierProof) -> str:
    """A boot of the guest as it is, and whether the forecast was right."""
    outcome = {True: "came up", False: f"did not come up ({one.reason})", None: f"undecided ({one.reason})"}[one.came_up]
    day = datetime.fromtimestamp(one.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    other = "; the forecast had said otherwise" if one.agrees is False else ""
    return f"booted on {one.target} on {day}, {one.way}: {outcome}{other}"


def size(number: int) -> str:
    """``3.0 GiB``."""
    value = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def system(os: OsInfo) -> str:
    """``Rocky Linux 9.4 (x86_64)``; a version that is part of the name is not repeated."""
    version = "" if os.version and os.version in os.name else os.version
    name = f"{os.name or os.distro or os.kind} {version}".rstrip()
    return f"{name} ({os.arch})" if os.arch else name


def facts(root: RootReport) -> tuple[tuple[str, str], ...]:
    """The details below a system's name: host name, root device, and the glance without what the name already says."""
    known = {label for label, _value in root.glance}
    own = [("hostname", root.os.hostname)] if root.os.hostname and "hostname" not in known else []
    rest = [(label, value) for label, value in root.glance if label not in ("system", "architecture")]
    return (*own, ("root device", root.device), *rest)


def stop(forecast: Forecast) -> str:
    """``stops at initramfs``, ``may not boot``, ``boots``; for a guest that may come up also ``boots, cannot be reached``."""
    stage = forecast.decisive
    return f"stops at {stage.stage.value}" if stage and forecast.fate is Fate.FAIL else _FATES[forecast.fate] + _reach(forecast)


def verdict(forecast: Forecast, target: str = "") -> str:
    """``does not boot on kvm: stops at initramfs``, ``boots on kvm, cannot be reached``."""
    fate = (f"{_FATES[forecast.fate]} on {target}" if target else _FATES[forecast.fate]) + _reach(forecast)
    return f"{fate}: {stop(forecast)}" if forecast.decisive and forecast.fate is Fate.FAIL else fate


def _reach(forecast: Forecast) -> str:
    """The remark for a guest that comes up but may be unreachable."""
    if forecast.fate is not Fate.FAIL and forecast.outcome is Fate.FAIL:
        return ", cannot be reached"
    return ", may not be reached" if forecast.fate is Fate.PASS and forecast.outcome is Fate.UNKNOWN else ""


def mover(who: Mover) -> str:
    """The mover, as text."""
    return "a raw copy" if who is Mover.RAW else who.value


def safety(fix: Fix) -> str:
    """How far a fix can be trusted, in a word."""
    return _SAFETY[fix.applicability]


def edit(what: Edit) -> str:
    """The effect of an edit that a diff does not show."""
    match what:
        case ReplaceText():
            return f"edit {what.where.path}"
        case CopyFile():
            return f"copy {what.source} to {what.path}"
        case AppendInitramfs():
            return f"append {', '.join(what.modules)} to {what.path}"
        case Rebuild():
            return f"rebuild {what.artefact}"
        case RegistrySet() | RegistryDeleteKey():
            return f"edit {what.key} in {what.hive}"
    return _whole_file(what)


def _whole_file(what: WriteFile | WriteData | Delete) -> str:
    match what:
        case WriteFile():
            return f"create {what.path}"
        case WriteData():
            return f"write {size(len(what.data))} to {what.path}"
        case Delete():
            return f"delete {what.path}"


def unseen_edits(fix: Fix) -> tuple[str, ...]:
    """The edits that no text diff shows."""
    return tuple(edit(one) for one in fix.edits if isinstance(one, AppendInitramfs | CopyFile | Rebuild | WriteData))


def marked(found: FindingReport) -> Iterator[str]:
    """The excerpt with line numbers, the finding's line marked with ``>`` and its characters underlined."""
    where = found.finding.where
    for number, line in enumerate(found.excerpt.lines, found.excerpt.first) if found.excerpt else ():
        here = isinstance(where, Span) and where.line == number
        # One column for each character of the marked line: the underline counts them.
        line = visible(line.expandtabs(4) if not here else line.replace("\t", " "))
        yield f"{'>' if here else ' '} {number:4} | {line}".rstrip()
        if isinstance(where, Span) and here:
            length = max(1, min(where.end - where.start, len(line) - where.column + 1))
            yield f"       | {' ' * (where.column - 1)}{'^' * length}"


def affected(hit: Hit) -> str:
    """``kvm, azure``, with the severity for targets below the worst one."""
    return ", ".join(name if level is hit.severity else f"{name} ({level.label})" for name, level in hit.targets)


def counted(tally: Tally) -> str:
    """``1 error, 2 warnings, 1 info, 3 not checked``; without the counts that are zero, except for errors."""
    parts = [count(tally.errors, "error")]
    parts += [count(tally.warnings, "warning")] if tally.warnings else []
    parts += [f"{tally.infos} info"] if tally.infos else []
    parts.append(f"{tally.unknown + tally.problems} not checked")
    parts += [f"{number} {name}" for number, name in ((tally.excepted, "excepted"), (tally.baselined, "in the baseline")) if number]
    return ", ".join(parts)


def names(severities: Iterable[Severity]) -> str:
    """``error, warning``."""
    return ", ".join(severity.label for severity in severities)
