"""Fast guests: few modules and few files, one tree per base in the cache, an overlay with the cell's edits for each image.

Trees and initramfs images lie in ``CACHE/truth``; they are made again when what they are made of changes. Needs root.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import tempfile
from pathlib import Path

from guestbuild import debian, debian_config
from guestbuild.debian import Spec
from guestbuild.tools import run
from tests.trees import locked, overlay
from tests.truth.draw import BASES, Drawn

_SPEEDS = "console=ttyS0,115200 panic=1 mitigations=off net.ifnames=1 rd.retry=8 rd.timeout=20"
# Drivers of hardware that no virtual machine has, and what else no cell asks for.
_NO_MODULES = (
    "drivers/gpu", "drivers/media", "drivers/infiniband", "drivers/iio", "drivers/staging", "drivers/isdn", "drivers/hwmon",
    "drivers/mfd", "drivers/net/wireless", "drivers/bluetooth", "drivers/platform", "drivers/mtd", "drivers/leds", "drivers/power",
    "drivers/thunderbolt", "drivers/comedi", "drivers/video", "drivers/mmc", "drivers/pinctrl", "drivers/i2c", "drivers/spi",
    "drivers/target", "drivers/crypto", "drivers/edac", "drivers/accel", "drivers/w1", "drivers/parport", "drivers/memstick",
    "drivers/ntb", "drivers/gnss", "sound", "net/bluetooth", "net/wireless", "net/mac80211", "net/netfilter", "net/ipv4/netfilter",
    "net/ipv6/netfilter", "net/sched", "net/rds", "net/sctp", "net/tipc", "fs/nfs", "fs/nfsd", "fs/ceph", "fs/ocfs2", "fs/gfs2", "fs/smb",
    "fs/afs", "fs/bcachefs", "drivers/net/usb", "drivers/net/can", "drivers/net/wan", "drivers/net/phy", "drivers/net/dsa",
    "drivers/net/hamradio", "drivers/net/wwan", "drivers/bcma", "drivers/net/ethernet/[b-hj-qs-z]*", "drivers/net/ethernet/a[a-ln-z]*",
    "drivers/usb/[d-gi-rt-z]*", "drivers/usb/serial", "drivers/firewire", "drivers/scsi/[abceg-ln-rtuw-z]*", "drivers/scsi/mpi3mr",
    "drivers/scsi/mpt3sas", "drivers/scsi/megaraid*", "drivers/scsi/mvsas", "drivers/hid/hid-[a-fh-z]*", "drivers/input/t*",
    "drivers/input/joystick", "drivers/char/ipmi", "drivers/nfc", "drivers/vhost", "drivers/vfio",
)  # fmt: skip
_NO_FILES = (
    "usr/share/doc", "usr/share/locale", "usr/share/i18n", "usr/share/perl", "usr/share/zoneinfo", "var/lib/apt", "var/cache",
    "usr/lib/gcc",
    "usr/lib/x86_64-linux-gnu/gconv", "usr/lib/x86_64-linux-gnu/perl*", "usr/share/bash-completion", "usr/share/bug", "boot/initrd.img-*",
)  # fmt: skip
_UNITS = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer")
_BOOT_PROGRAM = Path("/usr/lib/systemd/boot/efi/systemd-bootx64.efi")


def build(cell: Drawn, folder: Path) -> Path:
    """The cell's image, a sparse raw file in ``folder``."""
    tree, made = _base(cell.base), _initramfs(cell)
    with overlay(tree) as merged:
        work = folder / "work"
        work.mkdir()
        debian_config.settings(merged, cell.spec, work)
        version = debian_config.kernel_version(merged)
        initrd = merged / f"boot/initrd.img-{version}"
        initrd.unlink(missing_ok=True)
        shutil.copyfile(made, initrd)
        menu = merged / "boot/grub/grub.cfg"
        menu.write_text(menu.read_text().replace("console=tty0 console=ttyS0,115200", _speeds(cell.spec)))
        boots = cell.loader == "systemd-boot"
        if boots:
            _entry(merged, version, menu.read_text())
        for defect in cell.defects:
            if defect.edit:
                defect.edit(merged)
        fill = (lambda esp: _fill(merged, esp, cell.spec)) if boots else None
        image = debian.disk(cell.spec, merged, work, fill).rename(folder / "disk.raw")
        shutil.rmtree(work)
    return image


def _speeds(spec: Spec) -> str:
    return _SPEEDS.replace("net.ifnames=1 ", "") if spec.network == "ifupdown" else _SPEEDS


def _entry(tree: Path, version: str, menu: str) -> None:
    """What systemd-boot reads, from the line that GRUB's menu has."""
    words = next(line for line in menu.splitlines() if line.lstrip().startswith("linux")).split(maxsplit=2)[2]
    entry = tree / "boot/loader/entries/debian.conf"
    entry.parent.mkdir(parents=True)
    entry.write_text(f"title Debian\nlinux /vmlinuz-{version}\ninitrd /initrd.img-{version}\noptions {words}\n")


def _fill(tree: Path, esp: Path, spec: Spec) -> None:
    """systemd-boot, its entry, kernel and initramfs: what bootctl and kernel-install put on the EFI system partition."""
    for folder, name in (("EFI/systemd", "systemd-bootx64.efi"), *([("EFI/BOOT", "BOOTX64.EFI")] if spec.fallback else [])):
        (esp / folder).mkdir(parents=True)
        shutil.copyfile(_BOOT_PROGRAM, esp / folder / name)
    shutil.copytree(tree / "boot/loader", esp / "loader")
    for path in (*tree.glob("boot/vmlinuz-*"), *tree.glob("boot/initrd.img-*")):
        shutil.copyfile(path, esp / path.name)


def _initramfs(cell: Drawn) -> Path:
    """The initramfs that the guest's own tool makes with these settings; it holds every filesystem, and LVM, whatever the root is."""
    spec, base = dataclasses.replace(cell.spec, fs="ext4", lvm=False), _base(cell.base)
    name = "-".join((base.name, spec.modules, *spec.blacklist))
    made = base.parent / f"{name}.initrd"
    with locked(made):
        if not made.exists():
            with overlay(base) as merged, tempfile.TemporaryDirectory() as work:
                debian_config.settings(merged, spec, Path(work))
                _quick(merged, spec)
                debian_config.make_initramfs(merged, spec)
                partial = made.with_suffix(".partial")
                shutil.copyfile(merged / f"boot/initrd.img-{debian_config.kernel_version(merged)}", partial)
                partial.rename(made)
    return made


def _quick(tree: Path, spec: Spec) -> None:
    if spec.initramfs == "dracut":
        debian_config.write(tree, "etc/dracut.conf.d/quick.conf", 'compress="zstd -1"\nhostonly="no"\n')
    else:
        debian_config.write(tree, "etc/initramfs-tools/conf.d/quick", "COMPRESS=zstd\nCOMPRESSLEVEL=1\n")


def _base(name: str) -> Path:
    spec = BASES[name]
    archive = debian.package_set(spec)
    key = hashlib.sha256(repr((archive.name, _NO_MODULES, _NO_FILES, _UNITS)).encode()).hexdigest()[:12]
    tree = debian.cache_dir() / "truth" / f"{name}-{key}"
    with locked(tree):
        if not tree.exists():
            partial = tree.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            excluded = [f"--exclude=./{path}" for path in _NO_FILES]
            excluded += [f"--exclude=./usr/lib/modules/*/kernel/{path}" for path in _NO_MODULES]
            excluded += [f"--exclude=./lib/modules/*/kernel/{path}" for path in _NO_MODULES]
            run("tar", "--zstd", "-xf", archive, "-C", partial, "--numeric-owner", "--same-owner", "-p", "--wildcards", *excluded)
            run("depmod", "-b", partial, debian_config.kernel_version(partial))
            for unit in _UNITS:
                (partial / "etc/systemd/system" / unit).unlink(missing_ok=True)
                (partial / "etc/systemd/system" / unit).symlink_to("/dev/null")
            partial.rename(tree)
    return tree
