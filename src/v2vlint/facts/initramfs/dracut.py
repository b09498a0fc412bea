"""dracut (dracut.conf(5)): ``hostonly``, ``add_drivers``, ``force_drivers``, ``omit_drivers``; drop-ins in /etc hide the vendor's."""

from __future__ import annotations

import re

from v2vlint.facts.initramfs.generator import GeneratorConfig, HostOnly
from v2vlint.facts.kernel.module_names import normal
from v2vlint.facts.syntax.conf_vars import ConfVars, Insertion, conf_vars
from v2vlint.facts.syntax.layers import layered
from v2vlint.guest.fs import GuestFS
from v2vlint.model.place import Token

MAIN = "/etc/dracut.conf"
DROP_IN = "/etc/dracut.conf.d/90-v2vlint.conf"
FOLDERS = ("/etc/dracut.conf.d", "/usr/lib/dracut/dracut.conf.d")
PROGRAMS = ("/usr/bin/dracut", "/sbin/dracut", "/usr/sbin/dracut")
_VERSION = re.compile(r"DRACUT_VERSION=['\"]?(\d+)")
_SINCE_108 = frozenset({"virtio", "virtio_ring", "virtio_blk", "virtio_scsi", "virtio_pci", "nvme", "vmd", "hv_vmbus", "pci_hyperv"})
_EVER = frozenset({"sd_mod", "sr_mod", "ata_piix"})


def dracut(fs: GuestFS) -> GeneratorConfig:
    """dracut's configuration. By default it builds for any machine; distributions set ``hostonly`` in a drop-in."""
    paths = [*(path for path in (MAIN,) if fs.is_file(path)), *layered(fs, FOLDERS, ".conf")]
    settings = conf_vars((fs.text(path) for path in paths), fs=fs)
    mode = settings.last("hostonly_mode")
    # sloppy is the default of hostonly_mode (dracut.conf(5)).
    sloppy = mode is None or mode.value != "strict"
    return GeneratorConfig(
        "dracut",
        installed=any(fs.exists(path) for path in PROGRAMS),
        host_only=_host_only(settings),
        always=_EVER | (_SINCE_108 if sloppy and version(fs) >= 108 else frozenset()),
        added=(*settings.words("add_drivers"), *settings.words("drivers")),
        forced=settings.words("force_drivers"),
        omitted=_omitted(settings),
        insertion=_insertion(fs),
        files=settings.files,
    )


def _omitted(settings: ConfVars) -> tuple[Token, ...]:
    """dracut includes a driver that is both omitted and forced (or listed in ``drivers``)."""
    wanted = {normal(token.value) for token in (*settings.words("force_drivers"), *settings.words("drivers"))}
    return tuple(token for token in settings.words("omit_drivers") if normal(token.value) not in wanted)


def _host_only(settings: ConfVars) -> HostOnly | None:
    hostonly, only = settings.last("hostonly"), settings.last("drivers")
    if hostonly and hostonly.value == "yes":
        return HostOnly("hostonly=yes", hostonly.where)
    return HostOnly("drivers lists all drivers", only.where) if only and only.value.strip() else None


def version(fs: GuestFS) -> int:
    """The major version of the installed dracut; 0 when not stated."""
    text = fs.text("/usr/lib/dracut/dracut-version.sh")
    match = _VERSION.search(text.content) if text else None
    return int(match[1]) if match else 0


def _insertion(fs: GuestFS) -> Insertion:
    text = fs.text(DROP_IN)
    where = None if text is None else text.span(len(text.content), len(text.content))
    unended = text is not None and bool(text.content) and not text.content.endswith("\n")
    return Insertion(DROP_IN, where, "\n" * unended + 'add_drivers+=" ', " ", ' "\n')
