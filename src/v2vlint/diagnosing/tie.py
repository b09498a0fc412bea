"""Connects a message to its cause in the guest's image: findings that explain it, and lines of the guest that contain the same names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from v2vlint.engine.check import forecast_of
from v2vlint.model.diagnosis import Diagnosis, ImageDiagnosis, LogMessage, Mention
from v2vlint.model.proof import same_place
from v2vlint.model.report import FindingReport, Forecast, ImageReport

FILES = (
    "/etc/fstab", "/etc/crypttab", "/etc/default/grub", "/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/boot/grub2/grubenv",
    "/etc/mdadm/mdadm.conf", "/etc/mdadm.conf", "/etc/lvm/lvm.conf", "/etc/network/interfaces", "/etc/selinux/config",
    "/etc/ssh/sshd_config", "/etc/initramfs-tools/conf.d/resume", "/etc/kernel/cmdline",
)  # fmt: skip
MAX_FINDINGS = 5
MAX_MENTIONS = 8
MAX_FILE = 1 << 20
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")
_NAMES = re.compile(
    r"(?:/[\w.@+:-]+)+"  # a path or device
    r"|\b[0-9a-fA-F]{4,8}(?:-[0-9a-fA-F]{4,12})+\b|\b[0-9A-F]{16}\b"  # a UUID, as used by filesystems
    r"|\b(?:eth|en[ospx]|wl)\w+\b|\bvg[\w-]+"  # a network card, a volume group
    r"|\"([\w.+-]{3,40})\""
)
_DULL = frozenset({"/", "/dev", "/dev/disk", "/root", "/sysroot", "/proc", "/sys", "/init", "/sbin/init", "/run"})


def names_in(text: str) -> frozenset[str]:
    """The names in ``text``: devices, paths, UUIDs, network cards, including those that systemd escaped or made part of a unit's name."""
    plain = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
    found = {match[1] or match[0].rstrip(".:,") for match in _NAMES.finditer(plain)}
    found |= {name.rsplit("/", 1)[-1] for name in found if name.startswith("/dev/disk/")}
    return frozenset(name for name in found if len(name) > 2 and name not in _DULL)


def tie(diagnosis: Diagnosis, image: ImageReport, target: str, files: Mapping[str, bytes]) -> ImageDiagnosis:
    """What ``image``, judged for ``target``, adds to ``diagnosis``; ``files`` are the paths in ``FILES`` that it has."""
    forecast = forecast_of(image)
    message = diagnosis.decisive or next(iter(diagnosis.also), None)
    names = names_in(f"{message.text} {message.reason}") if message else frozenset()
    found = _explaining(message, names, image.findings()) if message else ()
    mentions = tuple(_mentions(names, files))[:MAX_MENTIONS] if message else ()
    return ImageDiagnosis(image.name, target, forecast, _agrees(diagnosis, forecast), found, mentions, image.problems)


def _agrees(diagnosis: Diagnosis, forecast: Forecast | None) -> bool | None:
    if forecast is None or forecast.will_boot is None or diagnosis.came_up is None:
        return None
    if forecast.will_boot or diagnosis.came_up or diagnosis.stage is None:
        return forecast.will_boot == diagnosis.came_up
    stops = forecast.decisive
    return stops is not None and same_place(diagnosis.stage, stops.stage)


def _explaining(message: LogMessage, names: frozenset[str], found: Iterable[FindingReport]) -> tuple[FindingReport, ...]:
    scored = [(_score(one, message, names), -place, one) for place, one in enumerate(found) if one.counts]
    likely = sorted((entry for entry in scored if entry[0] >= 2), key=lambda entry: entry[:2], reverse=True)
    return tuple(one for _score, _place, one in likely[:MAX_FINDINGS])


def _score(one: FindingReport, message: LogMessage, names: frozenset[str]) -> int:
    finding = one.finding
    lines = one.excerpt.lines if one.excerpt else ()
    here = [
        line for number, line in enumerate(lines, one.excerpt.first if one.excerpt else 0) if number == getattr(finding.where, "line", 0)
    ]
    text = " ".join((str(finding.where), finding.message, *here))
    named = any(name in text for name in names)
    foreseen = finding.rule in message.rules
    stage = finding.stage is not None and same_place(finding.stage, message.stage)
    # A name that both have counts most, but alone it may be in any finding.
    return 3 * named * (foreseen or stage) + 2 * foreseen + 2 * stage + named


def _mentions(names: frozenset[str], files: Mapping[str, bytes]) -> Iterator[Mention]:
    for path, content in files.items():
        for number, line in enumerate(content[:MAX_FILE].decode("utf-8", "surrogateescape").split("\n"), 1):
            if not line.lstrip().startswith("#") and any(_whole(name, line) for name in names):
                yield Mention(path, number, line.strip()[:200])


def _whole(name: str, line: str) -> bool:
    """Whether ``line`` contains ``name`` as a whole, not as part of a longer name."""
    return re.search(rf"(?<![\w/]){re.escape(name)}(?![\w/-])", line) is not None
