"""A guest, the hardware it lands on, and what is wrong with it: drawn by a number, the same one again for the same number."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from guestbuild.debian import Spec
from guestbuild.tools import stable_uuid
from tests.truth.bases import BASES

Stack = Literal["plain", "lvm", "thin", "md1", "luks1", "luks2", "luks2-lvm", "subvol"]
Loader = Literal["grub", "systemd-boot", "extlinux"]
Manager = Literal["networkd", "ifupdown", "pinned", "nm", "nm-pinned"]
TARGETS = ("ide", "sata", "virtio-blk", "virtio-scsi", "nvme", "vmware", "virtualbox", "kvm-aarch64")
_WEIGHTS = (2, 3, 4, 3, 1, 2, 1)
_BASE_WEIGHTS = (8, 3, 5, 4, 8, 3, 2, 2, 2, 3, 1)
_STACKED: tuple[Stack, ...] = ("thin", "md1", "luks1", "luks2", "luks2-lvm")
_GONE = stable_uuid("a disk that is nowhere")


@dataclass(frozen=True, slots=True)
class Guest(Spec):
    """A guest of the table. ``lvm`` means a /boot of its own, whatever the ``stack`` of the root is. ``conf_device`` makes mdadm.conf or
    crypttab name disks as the machine of origin did."""

    base: str = "bookworm"
    stack: Stack = "plain"
    loader: Loader = "grub"
    manager: Manager = "networkd"
    conf_device: bool = False

    def uuid(self, part: str) -> str:
        """The same for all guests of a base with the same filesystem: they share an image of it."""
        return stable_uuid("truth", self.base, self.fs, part)

    @property
    def root_device(self) -> str:
        """What ``root=`` and fstab name, where it is not the filesystem's UUID; see :class:`Spec`."""
        if self.stack in ("lvm", "thin", "luks2-lvm"):
            return "/dev/mapper/vg0-root"
        if self.stack in ("luks1", "luks2"):
            return "/dev/mapper/crypt-root"
        if self.stack != "plain":
            return f"UUID={self.uuid('root')}"
        return "/dev/sda2" if self.firmware == "uefi" else "/dev/sda1"

    @property
    def arch_efi(self) -> str:
        """GRUB's word for its machine."""
        return {"bios": "i386-pc", "uefi": "arm64-efi" if self.arch == "arm64" else "x86_64-efi"}[self.firmware]


@dataclass(frozen=True, slots=True)
class Defect:
    """A thing that is wrong: another ``spec``, or an ``edit`` of the guest's tree (before its filesystems are made)."""

    name: str
    spec: Callable[[Guest], Guest] | None = None
    edit: Callable[[Path], None] | None = None
    firmware: str = ""
    loaders: tuple[Loader, ...] = ("grub", "systemd-boot", "extlinux")
    stacks: tuple[Stack, ...] = ()
    systemd: bool = False
    """Whether only systemd reads it."""

    def fits(self, guest: Guest) -> bool:
        """Whether it makes a difference to ``guest``."""
        return (
            self.firmware in ("", guest.firmware)
            and guest.loader in self.loaders
            and (not self.stacks or guest.stack in self.stacks)
            and (not self.systemd or BASES[guest.base].init == "systemd")
        )


@dataclass(frozen=True, slots=True)
class Drawn:
    """One cell."""

    seed: int
    guest: Guest
    target: str
    defects: tuple[Defect, ...]

    @property
    def name(self) -> str:
        """``bookworm uefi xfs lvm systemd-boot networkd @virtio-blk: modules=list, no kernel``."""
        guest = self.guest
        words = [guest.base, guest.firmware, guest.fs, guest.stack, guest.loader, guest.manager]
        wrong = ", ".join(one.name for one in self.defects) or "nothing wrong"
        return f"{' '.join(words)} @{self.target}: {wrong}"


def _change(path: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(tree: Path) -> None:
        for place in [tree / name for name in MENUS] if path == "entry" else [tree / path]:
            if place.exists():
                place.write_text(place.read_text().replace(old, new))

    return edit


def _append(path: str, text: str) -> Callable[[Path], None]:
    def edit(tree: Path) -> None:
        place = tree / path
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("a") as stream:
            stream.write(text)

    return edit


def _remove(pattern: str) -> Callable[[Path], None]:
    def edit(tree: Path) -> None:
        for place in tree.glob(pattern):
            place.unlink()

    return edit


def _cut(pattern: str, share: float) -> Callable[[Path], None]:
    def edit(tree: Path) -> None:
        for place in tree.glob(pattern):
            size = int(place.stat().st_size * share)
            data = place.read_bytes()[:size]
            place.unlink()
            place.write_bytes(data)

    return edit


def _link(path: str, goal: str) -> Callable[[Path], None]:
    def edit(tree: Path) -> None:
        place = tree / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(goal)

    return edit


MENUS = ("boot/grub/grub.cfg", "boot/loader/entries/debian.conf", "boot/extlinux/extlinux.conf")
_TIMEOUT = "x-systemd.device-timeout=5s"
_FSTAB, _DEFAULT = "etc/fstab", "etc/systemd/system/default.target"
DEFECTS: tuple[Defect, ...] = (
    Defect("modules=list", lambda spec: dataclasses.replace(spec, modules="list")),
    Defect("blacklist virtio_blk", lambda spec: dataclasses.replace(spec, blacklist=("virtio_blk",))),
    Defect("blacklist virtio_scsi", lambda spec: dataclasses.replace(spec, blacklist=("virtio_scsi",))),
    Defect("root=/dev/sda", lambda spec: dataclasses.replace(spec, root="device"), stacks=("plain",)),
    Defect("fstab names /dev/sda", lambda spec: dataclasses.replace(spec, fstab_device=True), stacks=("plain",)),
    Defect("mdadm.conf or crypttab names /dev/sda", lambda spec: dataclasses.replace(spec, conf_device=True),
        stacks=("md1", "luks1", "luks2", "luks2-lvm")),
    Defect("resume from nowhere", lambda spec: dataclasses.replace(spec, resume=True)),
    Defect("no fallback loader", lambda spec: dataclasses.replace(spec, fallback=False), firmware="uefi"),
    Defect("root= is nowhere", edit=_change("entry", "root=", "root=UUID=0dead000-0000-4000-8000-000000000000 xroot=")),
    Defect("no initrd line", edit=_change("entry", "initrd", "#initrd"), loaders=("grub", "systemd-boot")),
    Defect("no kernel", edit=_remove("boot/vmlinuz-*")),
    Defect("no initramfs", edit=_remove("boot/initrd.img-*")),
    Defect("half an initramfs", edit=_cut("boot/initrd.img-*", 0.5)),
    Defect("a third of a kernel", edit=_cut("boot/vmlinuz-*", 0.33)),
    Defect("no init", edit=_remove("sbin/init")),
    Defect("init= is nowhere", edit=_change("entry", "panic=1", "panic=1 init=/sbin/none")),
    Defect("a mount of a lost disk", edit=_append(_FSTAB, f"UUID={_GONE} /lost ext4 defaults,{_TIMEOUT} 0 2\n")),
    Defect("a mount of a lost disk, nofail", edit=_append(_FSTAB, f"UUID={_GONE} /lost ext4 nofail,{_TIMEOUT} 0 2\n")),
    Defect("a mount of a lost disk, noauto", edit=_append(_FSTAB, f"UUID={_GONE} /lost ext4 noauto,{_TIMEOUT} 0 0\n")),
    Defect("a mount of /dev/sdb1", edit=_append(_FSTAB, f"/dev/sdb1 /data ext4 defaults,{_TIMEOUT} 0 2\n")),
    Defect("lost swap", edit=_append(_FSTAB, f"UUID={_GONE} none swap sw,{_TIMEOUT} 0 0\n")),
    Defect("an unknown filesystem", edit=_append(_FSTAB, "tmpfs /odd oddfs defaults 0 0\n")),
    Defect("a bind of what is not there", edit=_append(_FSTAB, "/not/there /odd none bind 0 0\n")),
    Defect("a bind below a lost disk", edit=_append(_FSTAB, f"UUID={_GONE} /lost ext4 nofail,{_TIMEOUT} 0 2\n/lost/x /y none bind 0 0\n")),
    Defect("a masked mount of a lost disk", edit=lambda tree: (
        _append(_FSTAB, f"UUID={_GONE} /lost ext4 defaults,{_TIMEOUT} 0 2\n")(tree),
        _link("etc/systemd/system/lost.mount", "/dev/null")(tree),
    )[0], systemd=True),
    Defect("a default target that is not there", edit=_link(_DEFAULT, "/lib/systemd/system/odd.target"), systemd=True),
    Defect("the rescue target", edit=_link(_DEFAULT, "/lib/systemd/system/rescue.target"), systemd=True),
    Defect("an entry that is not there is the default", edit=_change("boot/grub/grub.cfg", 'set default="0"', 'set default="7"'),
        loaders=("grub",)),
    Defect("root twice in fstab", edit=_append(_FSTAB, "tmpfs / tmpfs defaults 0 0\n")),
    Defect("/usr from a lost disk", edit=_append(_FSTAB, f"UUID={_GONE} /usr ext4 defaults,{_TIMEOUT} 0 2\n")),
)  # fmt: skip


def drawn(seed: int) -> Drawn:
    """The cell with this number."""
    rng = random.Random(seed)
    base = rng.choices(tuple(BASES), _BASE_WEIGHTS)[0]
    guest = _network(rng, _loader(rng, _stack(rng, _base(rng, base))))
    target = "kvm-aarch64" if guest.arch == "arm64" else rng.choices(TARGETS[:-1], _WEIGHTS)[0]
    wrong = tuple(_wrong(rng, guest, rng.choices((0, 1, 2, 3), (4, 6, 3, 1))[0]))
    for one in wrong:
        guest = one.spec(guest) if one.spec else guest
    return Drawn(seed, guest, target, wrong)


def _base(rng: random.Random, name: str) -> Guest:
    base = BASES[name]
    firmware: Literal["bios", "uefi"] = "bios" if base.kernel or rng.random() < 0.6 else "uefi"
    spec = base.spec if base.spec.firmware == "uefi" else dataclasses.replace(base.spec, firmware=firmware)
    return Guest(**{field.name: getattr(spec, field.name) for field in dataclasses.fields(Spec)}, base=name)


def _stack(rng: random.Random, guest: Guest) -> Guest:
    fs: Literal["ext4", "xfs", "btrfs"] = rng.choices(("ext4", "xfs", "btrfs"), (4, 1, 1))[0]
    stack: Stack = "plain" if rng.random() < 0.6 else "lvm"
    if BASES[guest.base].stacked:
        stack = rng.choice(_STACKED)
    elif fs == "btrfs" and rng.random() < 0.6:
        stack = "subvol"
    return dataclasses.replace(guest, fs=fs, stack=stack, lvm=stack != "plain")


def _loader(rng: random.Random, guest: Guest) -> Guest:
    loader: Loader = "grub"
    if guest.firmware == "uefi" and guest.arch != "arm64" and rng.random() < 0.35:
        loader = "systemd-boot"
    elif guest.firmware == "bios" and (guest.lvm or guest.fs == "ext4") and rng.random() < 0.2:
        loader = "extlinux"
    return dataclasses.replace(guest, loader=loader)


def _network(rng: random.Random, guest: Guest) -> Guest:
    base = BASES[guest.base]
    words: list[Manager] = ["ifupdown", "ifupdown", "pinned"]
    words += ["networkd"] * 4 if base.init == "systemd" else []
    words += ["nm", "nm", "nm", "nm-pinned"] if base.stacked else []
    manager = rng.choice(words)
    return dataclasses.replace(guest, manager=manager, network=manager if manager in ("networkd", "ifupdown") else "pinned")


def _wrong(rng: random.Random, guest: Guest, count: int) -> Iterable[Defect]:
    return rng.sample([one for one in DEFECTS if one.fits(guest)], count)
