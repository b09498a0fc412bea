"""A guest, the hardware it lands on, and what is wrong with it: drawn by a number, the same one again for the same number."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from guestbuild.debian import Spec
from guestbuild.tools import stable_uuid

BASES: dict[str, Spec] = {
    "bookworm": Spec(),
    "bullseye": Spec(suite="bullseye"),
    "trixie": Spec(suite="trixie"),
    "bookworm-dracut": Spec(initramfs="dracut"),
    "bookworm-sysv-cloud": Spec(init="sysv", kernel="cloud-amd64"),
    "trixie-rt": Spec(suite="trixie", kernel="rt-amd64"),
}
TARGETS = ("ide", "sata", "virtio-blk", "virtio-scsi", "nvme", "vmware")
_WEIGHTS = (2, 3, 4, 3, 1, 2)
_GONE = stable_uuid("a disk that is nowhere")


@dataclass(frozen=True, slots=True)
class Defect:
    """A thing that is wrong: another ``spec``, or an ``edit`` of the guest's tree (before its filesystems are made)."""

    name: str
    spec: Callable[[Spec], Spec] | None = None
    edit: Callable[[Path], None] | None = None
    firmware: str = ""
    systemd: bool = False
    """Whether only systemd reads it."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One cell. ``loader`` is ``grub`` or ``systemd-boot``."""

    seed: int
    base: str
    spec: Spec
    loader: str
    target: str
    defects: tuple[Defect, ...]

    @property
    def name(self) -> str:
        """``bookworm uefi xfs lvm systemd-boot networkd @virtio-blk: modules=list, no kernel``."""
        words = [self.base, self.spec.firmware, self.spec.fs, *(["lvm"] if self.spec.lvm else []), self.loader, self.spec.network]
        wrong = ", ".join(one.name for one in self.defects) or "nothing wrong"
        return f"{' '.join(words)} @{self.target}: {wrong}"


def _change(path: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(tree: Path) -> None:
        for place in [tree / "boot/grub/grub.cfg", *tree.glob("boot/loader/entries/*.conf")] if path == "entry" else [tree / path]:
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


_TIMEOUT = "x-systemd.device-timeout=5s"
_FSTAB, _DEFAULT = "etc/fstab", "etc/systemd/system/default.target"
DEFECTS: tuple[Defect, ...] = (
    Defect("modules=list", lambda spec: dataclasses.replace(spec, modules="list")),
    Defect("blacklist virtio_blk", lambda spec: dataclasses.replace(spec, blacklist=("virtio_blk",))),
    Defect("blacklist virtio_scsi", lambda spec: dataclasses.replace(spec, blacklist=("virtio_scsi",))),
    Defect("root=/dev/sda", lambda spec: dataclasses.replace(spec, root="device")),
    Defect("fstab names /dev/sda", lambda spec: dataclasses.replace(spec, fstab_device=True)),
    Defect("resume from nowhere", lambda spec: dataclasses.replace(spec, resume=True)),
    Defect("no fallback loader", lambda spec: dataclasses.replace(spec, fallback=False), firmware="uefi"),
    Defect("root= is nowhere", edit=_change("entry", "root=", "root=UUID=0dead000-0000-4000-8000-000000000000 xroot=")),
    Defect("no initrd line", edit=_change("entry", "initrd", "#initrd")),
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
    Defect("an entry that is not there is the default", edit=_change("boot/grub/grub.cfg", 'set default="0"', 'set default="7"')),
    Defect("root twice in fstab", edit=_append(_FSTAB, "tmpfs / tmpfs defaults 0 0\n")),
    Defect("/usr from a lost disk", edit=_append(_FSTAB, f"UUID={_GONE} /usr ext4 defaults,{_TIMEOUT} 0 2\n")),
)  # fmt: skip


def drawn(seed: int) -> Drawn:
    """The cell with this number."""
    rng = random.Random(seed)
    base = rng.choices(tuple(BASES), (4, 2, 3, 3, 1, 1))[0]
    spec = dataclasses.replace(
        BASES[base],
        firmware=rng.choice(("bios", "uefi")),
        fs=rng.choices(("ext4", "xfs", "btrfs"), (3, 1, 1))[0],
        lvm=rng.random() < 0.3,
        network=rng.choices(("networkd", "ifupdown", "pinned"), (3, 2, 1))[0],
    )
    if spec.init != "systemd" and spec.network == "networkd":
        spec = dataclasses.replace(spec, network="ifupdown")
    loader = "systemd-boot" if spec.firmware == "uefi" and rng.random() < 0.35 else "grub"
    target = rng.choices(TARGETS, _WEIGHTS)[0]
    possible = [one for one in DEFECTS if one.firmware in ("", spec.firmware) and not (one.systemd and spec.init != "systemd")]
    wrong = tuple(rng.sample(possible, rng.choices((0, 1, 2, 3), (4, 5, 3, 1))[0]))
    for one in wrong:
        spec = one.spec(spec) if one.spec else spec
    return Drawn(seed, base, spec, loader, target, wrong)
