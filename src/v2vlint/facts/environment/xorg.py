"""The X server's configuration (xorg.conf(5)), and whether an X server is installed::

    Section "Device"
        Identifier "Card0"
        Driver     "vmware"
        BusID      "PCI:0:15:0"
    EndSection

Only ``Device`` sections count: ``OutputClass`` sections match whatever hardware is present.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.facts.environment.services import Services
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.edit_lines import delete_lines
from v2vlint.facts.syntax.layers import layered
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText, Line
from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import ReplaceText
from v2vlint.model.place import Span, Token

MAIN = ("/etc/X11/xorg.conf", "/etc/xorg.conf", "/etc/X11/XF86Config-4", "/etc/X11/XF86Config", "/etc/XF86Config")
FOLDERS = ("/etc/X11/xorg.conf.d", "/usr/share/X11/xorg.conf.d", "/usr/etc/X11/xorg.conf.d")
_SERVERS = (
    "/usr/lib/xorg/Xorg", "/usr/bin/Xorg", "/usr/libexec/Xorg", "/usr/libexec/Xorg.bin", "/usr/bin/X", "/usr/X11R6/bin/Xorg",
    "/usr/X11R6/bin/XFree86", "/usr/X11R6/bin/X", "/usr/bin/X11/X",
)  # fmt: skip
MODULES = ("/usr/lib/xorg/modules", "/usr/lib64/xorg/modules", "/usr/lib/x86_64-linux-gnu/xorg/modules")
_WORD = re.compile(r'"(?P<quoted>[^"]*)"|(?P<bare>[^\s"#]+)|#.*')


@dataclass(frozen=True, slots=True)
class XorgDevice:
    """A ``Device`` section. ``where`` is its first line; ``unpin`` deletes its BusID line, ``strip`` the lines that name the vendor."""

    where: Span
    identifier: str = ""
    driver: Token | None = None
    bus_id: Token | None = None
    unpin: tuple[ReplaceText, ...] = ()
    strip: tuple[ReplaceText, ...] = ()

    @property
    def is_main_config(self) -> bool:
        """Whether it is in xorg.conf (or XF86Config) itself rather than a drop-in."""
        return self.where.path in MAIN


@dataclass(frozen=True, slots=True)
class Xorg:
    """``devices`` are the active ``Device`` sections, ``drivers`` the installed driver modules; ``installed`` is None when not known."""

    devices: tuple[XorgDevice, ...] = ()
    drivers: frozenset[str] = frozenset()
    installed: bool | None = None
    malformed: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class _Section:
    kind: str
    where: Span
    entries: tuple[tuple[str, Token, Line], ...]

    def values(self, keyword: str) -> list[Token]:
        return [value for key, value, _line in self.entries if key == keyword]


@provides
def parse_xorg(fs: GuestFS, services: Services) -> Xorg:
    """The configuration the guest's X server reads: the first main file, and every drop-in."""
    main = next((path for path in MAIN if fs.is_file(path)), None)
    paths = [*((main,) if main else ()), *layered(fs, FOLDERS[1:], ".conf"), *layered(fs, FOLDERS[:1], ".conf")]
    texts = {path: text for path in dict.fromkeys(paths) if (text := fs.text(path)) is not None}
    sections: list[_Section] = []
    malformed: list[Span] = []
    for text in texts.values():
        sections.extend(_sections(text, malformed))
    used = {name.value.lower() for part in sections if part.kind == "screen" for name in part.values("device")}
    devices = [_device(part, texts[part.where.path]) for part in sections if part.kind == "device"]
    live = tuple(device for device in devices if not used or device.identifier.lower() in used)
    present = any(fs.exists(path) for path in _SERVERS)
    return Xorg(live, frozenset(_drivers(fs)), True if present else (False if services.init else None), tuple(malformed))


def _drivers(fs: GuestFS) -> Iterator[str]:
    for folder in MODULES:
        for name in (*fs.listdir(f"{folder}/drivers"), *fs.listdir(folder)):
            if match := re.fullmatch(r"(\w+)_drv\.(?:so|o)", name):
                yield match[1]


def _sections(text: GuestText, malformed: list[Span]) -> Iterator[_Section]:
    kind, where = "", text.span(0, 0)
    entries: list[tuple[str, Token, Line]] = []
    for line in text.lines():
        words = [word for word in _WORD.finditer(line.text) if not word[0].startswith("#")]
        if not words:
            continue
        keyword = words[0][0].lower().replace("_", "")  # xf86nameCompare() ignores underscores and case
        values = [_value(line, word) for word in words[1:]]
        if keyword == "section" and values:
            kind, where, entries = values[0].value.lower(), line.where, []
        elif keyword == "endsection":
            if kind:
                yield _Section(kind, where, tuple(entries))
            kind = ""
        elif not kind:
            malformed.append(line.where)
        elif values:
            entries.append((keyword, values[0], line))


def _value(line: Line, word: re.Match[str]) -> Token:
    group = "quoted" if word["quoted"] is not None else "bare"
    return line.token(word.start(group), word.end(group))


def _device(section: _Section, text: GuestText) -> XorgDevice:
    identifiers, drivers, buses = (section.values(key) for key in ("identifier", "driver", "busid"))
    maker = [line.where for key, _value, line in section.entries if key in ("vendorname", "boardname")]
    bus_lines = [line.where for key, _value, line in section.entries if key == "busid"]
    return XorgDevice(
        where=section.where,
        identifier=identifiers[0].value if identifiers else "",
        driver=drivers[-1] if drivers else None,
        bus_id=buses[-1] if buses else None,
        unpin=tuple(delete_lines(text, place) for place in bus_lines),
        strip=tuple(delete_lines(text, place) for place in maker),
    )
