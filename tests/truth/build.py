"""Fast guests: the base's filesystem is copied, the cell's settings and defects are written into it, its stack is laid around it.

Initramfs images, too, lie in ``CACHE/truth``: one for each base and what its tool was told. Needs root.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from pathlib import Path

from guestbuild import debian_config, extlinux, grub
from guestbuild.tools import stable_uuid
from tests.trees import locked, overlay
from tests.truth import bases, images
from tests.truth.bases import BASES
from tests.truth.draw import MENUS, Drawn, Guest

_SPEEDS = "panic=1 mitigations=off net.ifnames=1 nokaslr no_timer_check cryptomgr.notests=1 apparmor=0 audit=0 rd.retry=8 rd.timeout=300"
# Emulation on a busy machine takes longer for a device than systemd's 90 seconds.
_SYSTEMD = (
    " systemd.mask=systemd-tmpfiles-setup.service systemd.mask=systemd-tmpfiles-setup-dev.service"
    " systemd.default_timeout_start_sec=300 systemd.default_device_timeout_sec=300"
)
_BOOT_PROGRAM = Path("/usr/lib/systemd/boot/efi/systemd-bootx64.efi")
_PROFILE = """\
[connection]
id=wired
uuid=1d9ba4d2-6b7a-4bd9-a1c7-93f7d8a0a001
type=ethernet
{}[ipv4]
method=auto
[ipv6]
method=disabled
"""
_GETTY = "#!/bin/sh\nexec /sbin/getty -L ttyS0 115200 vt100\n"
_EXTLINUX = (
    "DEFAULT debian\nPROMPT 0\nTIMEOUT 1\nSERIAL 0 115200\nLABEL debian\n LINUX {0}/vmlinuz-{1}\n INITRD {0}/initrd.img-{1}\n APPEND {2}\n"
)
_CRYPT_TYPES = ("luks1", "luks2", "luks2-lvm")


def build(cell: Drawn, folder: Path) -> Path:
    """The cell's image, a sparse raw file in ``folder``."""
    guest, work = cell.guest, folder / "work"
    boot, efi, content = work / "boot", work / "efi", folder / "root.img"
    made = _initramfs(guest)
    for place in (boot, efi):
        place.mkdir(parents=True)
    with images.root(guest, content) as tree:
        _configure(tree, guest, work)
        shutil.copyfile(made, tree / f"boot/initrd.img-{debian_config.kernel_version(tree)}")
        for defect in cell.defects:
            if defect.edit:
                defect.edit(tree)
        if guest.loader == "extlinux":
            images.solid(tree / "boot")
            extlinux.add_files(tree)
        if guest.firmware == "uefi":
            _fill(tree, efi, guest, work)
        for child in list((tree / "boot").iterdir()) if guest.lvm else ():
            shutil.move(child, boot / child.name)
    image = images.disk(guest, content, boot, efi, work).rename(folder / "disk.raw")
    shutil.rmtree(work)
    content.unlink()
    return image


def _configure(tree: Path, guest: Guest, work: Path) -> None:
    """Everything but the initramfs."""
    debian_config.settings(tree, guest, work)
    debian_config.write(tree, "etc/machine-id", f"{stable_uuid('a machine').replace('-', '')}\n")
    # As after the first boot: nothing is to be brought up to date (systemd.unit(5), ConditionNeedsUpdate=).
    for place in ("etc/.updated", "var/.updated"):
        debian_config.write(tree, place, "")
    _stack(tree, guest)
    _network(tree, guest)
    if BASES[guest.base].init == "runit":
        debian_config.write(tree, "etc/sv/getty-ttyS0/run", _GETTY)
        (tree / "etc/sv/getty-ttyS0/run").chmod(0o755)
        service = tree / "etc/runit/runsvdir/default/getty-ttyS0"
        service.parent.mkdir(parents=True, exist_ok=True)
        service.unlink(missing_ok=True)
        service.symlink_to("/etc/sv/getty-ttyS0")
    menu = tree / MENUS[0]
    words = "console=ttyAMA0,115200" if guest.arch == "arm64" else "console=ttyS0,115200"
    speeds = _SPEEDS.replace("net.ifnames=1 ", "") if guest.network == "ifupdown" else _SPEEDS
    speeds += _SYSTEMD if BASES[guest.base].init == "systemd" else ""
    text = menu.read_text().replace(f"console=tty0 {words}", f"{words} {speeds}")
    menu.write_text(text.replace(" ro console=", " rootflags=subvol=@ ro console=") if guest.stack == "subvol" else text)
    _entry(tree, guest, menu.read_text())


def _stack(tree: Path, guest: Guest) -> None:
    """What the tools of the root's stack read, in the root and in the initramfs."""
    disk = "/dev/sda3" if guest.firmware == "uefi" else "/dev/sda2"
    if guest.stack == "md1":
        devices = "/dev/sda* /dev/sdb*" if guest.conf_device else "partitions"
        debian_config.write(tree, "etc/mdadm/mdadm.conf", f"DEVICE {devices}\nARRAY /dev/md/root UUID={images.array_name(guest)}\n")
    elif guest.stack in _CRYPT_TYPES:
        name = "crypt-pv" if guest.stack == "luks2-lvm" else "crypt-root"
        source = disk if guest.conf_device else f"UUID={guest.uuid('luks')}"
        debian_config.write(tree, "etc/crypttab", f"{name} {source} /etc/keys/root.key luks,initramfs\n")
        debian_config.write(tree, "etc/keys/root.key", images.KEY.decode())
        (tree / "etc/keys/root.key").chmod(0o400)
        debian_config.write(tree, "etc/cryptsetup-initramfs/conf-hook", 'CRYPTSETUP=y\nKEYFILE_PATTERN="/etc/keys/*.key"\n')
        debian_config.write(tree, "etc/initramfs-tools/conf.d/umask", "UMASK=0077\n")
    elif guest.stack == "subvol":
        table = tree / "etc/fstab"
        table.write_text(table.read_text().replace(" / btrfs defaults", " / btrfs defaults,subvol=@"))


def _network(tree: Path, guest: Guest) -> None:
    if guest.manager.startswith("nm"):
        debian_config.write(tree, "etc/network/interfaces", "auto lo\niface lo inet loopback\n")
        profile = "etc/NetworkManager/system-connections/wired.nmconnection"
        debian_config.write(tree, profile, _PROFILE.format("interface-name=ens192\n" if guest.manager == "nm-pinned" else ""))
        (tree / profile).chmod(0o600)
        debian_config.write(tree, "etc/NetworkManager/conf.d/no-default.conf", "[main]\nno-auto-default=*\n")
        return
    for unit in tree.glob("etc/systemd/system/*/NetworkManager*.service"):
        unit.unlink()


def _entry(tree: Path, guest: Guest, menu: str) -> None:
    """What another loader reads, from the line that GRUB's menu has."""
    version, folder = debian_config.kernel_version(tree), "" if guest.lvm else "/boot"
    words = next(line for line in menu.splitlines() if line.lstrip().startswith("linux")).split(maxsplit=2)[2]
    if guest.loader == "systemd-boot":
        text = f"title Debian\nlinux /vmlinuz-{version}\ninitrd /initrd.img-{version}\noptions {words}\n"
        debian_config.write(tree, MENUS[1], text)
    elif guest.loader == "extlinux":
        debian_config.write(tree, MENUS[2], _EXTLINUX.format(folder, version, words))


def _fill(tree: Path, esp: Path, guest: Guest, work: Path) -> None:
    """The EFI system partition: GRUB, or systemd-boot with its entry, kernel and initramfs, as kernel-install puts them there."""
    if guest.loader == "grub":
        base = bases.tree(guest.base)
        debian_config.fill_esp(esp, grub.efi_application(base, work, guest.arch_efi, **images.grub_place(guest)), guest)
        return
    for folder, name in (("EFI/systemd", "systemd-bootx64.efi"), *([("EFI/BOOT", "BOOTX64.EFI")] if guest.fallback else [])):
        (esp / folder).mkdir(parents=True)
        shutil.copyfile(_BOOT_PROGRAM, esp / folder / name)
    shutil.copytree(tree / "boot/loader", esp / "loader")
    for path in (*tree.glob("boot/vmlinuz-*"), *tree.glob("boot/initrd.img-*")):
        shutil.copyfile(path, esp / path.name)


def _initramfs(guest: Guest) -> Path:
    """The initramfs that the guest's own tool makes with these settings; it holds every filesystem, and LVM, whatever the root is."""
    tree = bases.tree(guest.base)
    asked: list[str] = [guest.modules, *guest.blacklist]
    if BASES[guest.base].stacked:
        asked += [guest.firmware, guest.fs, guest.stack, str(guest.conf_device)]
    made = tree.with_name(f"{tree.name}-{'-'.join(asked)}.initrd")
    with locked(made):
        if not made.exists():
            plain = dataclasses.replace(guest, resume=False, fstab_device=False)
            with overlay(tree) as merged, tempfile.TemporaryDirectory() as work:
                debian_config.settings(merged, plain, Path(work))
                _stack(merged, plain)
                _quick(merged, plain)
                initrd = merged / f"boot/initrd.img-{debian_config.kernel_version(merged)}"
                initrd.touch()
                debian_config.make_initramfs(merged, plain)
                partial = made.with_suffix(".partial")
                shutil.copyfile(initrd, partial)
                partial.rename(made)
    return made


def _quick(tree: Path, guest: Guest) -> None:
    if guest.initramfs == "dracut":
        debian_config.write(tree, "etc/dracut.conf.d/quick.conf", 'compress="zstd -1"\nhostonly="no"\n')
    else:
        debian_config.write(tree, "etc/initramfs-tools/conf.d/quick", "COMPRESS=zstd\nCOMPRESSLEVEL=1\n")
