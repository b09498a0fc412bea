"""Kernel build configurations (``/boot/config-VERSION``): ``CONFIG_VIRTIO_BLK=m``, ``# CONFIG_X86_XEN is not set``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span

_OPTION = re.compile(r"^(?:CONFIG_(\w+)=([^\n\r]*)|# CONFIG_(\w+) is not set)", re.MULTILINE)
MAX_OPTIONS = 60_000


@dataclass(frozen=True)
class KernelConfig:
    """The options of one kernel. Values are as written (``y``, ``m``, ``"text"``); unset options have the value ``n``."""

    text: GuestText
    options: Mapping[str, str]

    def get(self, symbol: str) -> str:
        """The value of ``symbol`` (without ``CONFIG_``); ``n`` when unset or unknown to this kernel."""
        return self.options.get(symbol, "n")

    def is_set(self, symbol: str) -> bool:
        """Whether ``symbol`` is ``y`` or ``m``."""
        return self.get(symbol) in ("y", "m")

    def where(self, symbol: str) -> Span:
        """The line that sets ``symbol``; the first character of the file when there is none."""
        match = re.search(rf"^(?:# )?CONFIG_{re.escape(symbol)}[= ][^\n\r]*", self.text.content, re.MULTILINE)
        return self.text.span(match.start(), match.end()) if match else self.text.span(0, 0)


def config_from(text: GuestText) -> KernelConfig:
    """Parse a configuration. Other content is ignored, and so are options beyond :data:`MAX_OPTIONS`."""
    options: dict[str, str] = {}
    for symbol, value, unset in _OPTION.findall(text.content):
        if len(options) >= MAX_OPTIONS:
            break
        options[symbol or unset] = value.strip() if symbol else "n"
    return KernelConfig(text, MappingProxyType(options))
