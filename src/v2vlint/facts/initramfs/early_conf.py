"""The arrays, volumes and root configured inside an initramfs: its own copies of configuration files apply until the root is mounted.

dracut takes in mdadm.conf and lvm.conf for this one machine only (``hostonly``, ``mdadmconf``, ``lvmconf``) and writes arguments to
``etc/cmdline.d``; initramfs-tools copies all of /etc/lvm, and mdadm.conf only if it lists arrays (``hooks/mdadm``: else mkconf writes
another). Its scripts source ``conf/conf.d`` and ``conf/param.conf``, where ``ROOT`` may be set. NixOS' first stage has a list of mounts:
four lines for each (``fsInfo`` of stage-1.nix), or an fstab for systemd (tasks/filesystems.nix).
"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.cmdline import KernelArg, plain_args
from v2vlint.facts.initramfs.content import Initramfs
from v2vlint.facts.storage.lvm_conf import LvmConf, lvm_conf_from
from v2vlint.facts.storage.lvm_devices import LvmDevice, lvm_devices_from
from v2vlint.facts.syntax.shell_source import sourced_values
from v2vlint.guest.mdadm_conf import MdadmConf, mdadm_conf_from
from v2vlint.guest.text import GuestText

_MDADM = ("etc/mdadm/mdadm.conf", "etc/mdadm.conf")
_MDADM_FOLDERS = ("etc/mdadm/mdadm.conf.d", "etc/mdadm.conf.d")
_LVM = ("etc/lvm/lvm.conf", "etc/lvm/lvmlocal.conf")
_LVM_DEVICES = "etc/lvm/devices/system.devices"
_CMDLINE = ("etc/cmdline", "etc/cmdline.d")
_SCRIPT_CONF = "conf"
_SCRIPT_MAIN = ("conf/arch.conf", "conf/initramfs.conf")


def early_mdadm(image: Initramfs) -> MdadmConf:
    """mdadm.conf in ``image``; empty when it has none, so that every array is assembled."""
    return mdadm_conf_from([*_texts(image, _MDADM), *(_text(image, path, text) for path, text in image.under(*_MDADM_FOLDERS).items())])


def early_lvm(image: Initramfs) -> LvmConf:
    """lvm.conf in ``image``; empty when it has none."""
    return lvm_conf_from(list(_texts(image, _LVM)))


def early_lvm_devices(image: Initramfs) -> tuple[LvmDevice, ...]:
    """LVM's devices file in ``image``."""
    return tuple(device for text in _texts(image, (_LVM_DEVICES,)) for device in lvm_devices_from(text).entries)


def embedded_args(image: Initramfs) -> tuple[KernelArg, ...]:
    """The arguments that dracut wrote into ``image``; those of the command line come after them."""
    lines = [text for path in _CMDLINE if (text := image.text(path)) is not None]
    lines += image.under(*_CMDLINE).values()
    return plain_args(" ".join(" ".join(lines).split("\n")), image.where)


def embedded_root(image: Initramfs) -> str:
    """The root that ``image`` names itself: dracut's ``root=``, ``ROOT`` in initramfs-tools' settings, the first mount of NixOS. Empty when
    it names none.

    FactUnavailable when its settings cannot be told.
    """
    args = [arg.value for arg in embedded_args(image) if arg.name == "root" and arg.value]
    # root=block:DEVICE is a form of dracut's own.
    return (args[-1] if args else _script_root(image) or _listed_root(image)).removeprefix("block:")


def _listed_root(image: Initramfs) -> str:
    """The device of NixOS' root; empty where it is none, as for ZFS and tmpfs."""
    mounts: list[tuple[str, str]] = []
    for path, text in image.under("nix/store").items():
        lines = text.split("\n")
        if path.endswith("-initrd-fsinfo"):
            mounts += zip(lines[::4], lines[1::4], strict=False)
        elif path.endswith("-initrd-fstab"):
            mounts += [(fields[1], fields[0]) for line in lines if len(fields := line.split()) > 2 and not fields[0].startswith("#")]
    roots = [device for point, device in mounts if point.removeprefix("/sysroot") in ("", "/")]
    found = roots[0] if len(set(roots)) == 1 else ""
    return found if found.startswith(("/dev/", "UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=")) else ""


def _script_root(image: Initramfs) -> str:
    """``ROOT`` after initramfs-tools' init has sourced its settings: initramfs.conf, conf.d, at last param.conf."""
    found = image.under(_SCRIPT_CONF)
    last = f"{_SCRIPT_CONF}/param.conf"
    paths = [*(path for path in _SCRIPT_MAIN if path in found), *(path for path in found if path not in (*_SCRIPT_MAIN, last))]
    texts = [_text(image, path, found[path]) for path in (*paths, *((last,) if last in found else ()))]
    return sourced_values(texts, bash=False).known("ROOT").text.text


def _texts(image: Initramfs, paths: tuple[str, ...]) -> Iterator[GuestText]:
    for path in paths:
        text = image.text(path)
        if text is not None:
            yield _text(image, path, text)


def _text(image: Initramfs, path: str, text: str) -> GuestText:
    return GuestText(f"{image.where.path}!{path}", text)
