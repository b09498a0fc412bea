"""initramfs-tools (initramfs.conf(5), initramfs-tools(7)): Debian's generator, ``MODULES=most|dep|list|netboot`` and a list of names."""

from __future__ import annotations

import re

from v2vlint.facts.initramfs.generator import GeneratorConfig, HostOnly
from v2vlint.facts.syntax.conf_vars import ConfVars, Insertion, conf_vars
from v2vlint.facts.syntax.shell_source import sh_is_bash
from v2vlint.guest.fs import GuestFS
from v2vlint.model.place import Token

MAIN, NAMES = "/etc/initramfs-tools/initramfs.conf", "/etc/initramfs-tools/modules"
_SHIPPED, DROP_INS = "/usr/share/initramfs-tools/conf.d", "/etc/initramfs-tools/conf.d"
PROGRAMS = ("/usr/sbin/mkinitramfs", "/sbin/mkinitramfs")
# mkinitramfs: grep '^[[:alnum:]][[:alnum:]\._-]*$' | grep -v '\.dpkg-.*$'.
_READ = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def initramfs_tools(fs: GuestFS) -> GeneratorConfig:
    """The configuration of initramfs-tools; later files win."""
    settings = sourced_settings(fs)
    chosen = settings.last("MODULES")
    limited = chosen is not None and chosen.value in ("dep", "list")
    names = module_lines(fs, NAMES)
    return GeneratorConfig(
        "initramfs-tools",
        installed=any(fs.exists(path) for path in PROGRAMS),
        host_only=HostOnly(f"MODULES={chosen.value}", chosen.where) if limited and chosen else None,
        added=names,
        # Those in the list are loaded as well (initramfs-tools(7)).
        forced=names,
        insertion=_insertion(fs),
        files=(*settings.files, *((NAMES,) if fs.is_file(NAMES) else ())),
    )


def sourced(fs: GuestFS) -> tuple[str, ...]:
    """The files that mkinitramfs(8) sources, in order. One in /etc replaces a shipped one with the same name."""
    shipped = [f"{_SHIPPED}/{name}" for name in fs.listdir(_SHIPPED) if _is_read(name) and not fs.exists(f"{DROP_INS}/{name}")]
    own = [f"{DROP_INS}/{name}" for name in fs.listdir(DROP_INS) if _is_read(name)]
    return tuple(path for path in (MAIN, *shipped, *own) if fs.is_file(path))


def sourced_settings(fs: GuestFS) -> ConfVars:
    """The settings as mkinitramfs(8), a script for /bin/sh, has them after sourcing its files."""
    return conf_vars((fs.text(path) for path in sourced(fs)), bash=sh_is_bash(fs), fs=fs)


def _is_read(name: str) -> bool:
    return _READ.fullmatch(name) is not None and ".dpkg-" not in name


def module_lines(fs: GuestFS, path: str) -> tuple[Token, ...]:
    """The first word of every line in a list of modules."""
    text = fs.text(path)
    lines = () if text is None else text.lines()
    return tuple(line.words()[0] for line in lines if not line.is_blank("#;"))


def _insertion(fs: GuestFS) -> Insertion:
    text = fs.text(NAMES)
    if text is None:
        return Insertion(NAMES, None, "", "\n", "\n")
    end = len(text.content)
    return Insertion(NAMES, text.span(end, end), "" if not end or text.content.endswith("\n") else "\n", "\n", "\n")
