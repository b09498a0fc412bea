"""What the guests are installed from, unpacked once: few modules and few files, as far as no cell asks for more. Needs root.

Trees and the images made of them lie in ``CACHE/truth`` under names with a key; they are made again when what they are made of changes.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from guestbuild import debian, debian_config, grub
from guestbuild.debian import Spec
from guestbuild.tools import run
from tests.trees import locked

Init = Literal["systemd", "sysv", "openrc", "runit"]
_INITS: dict[Init, tuple[str, ...]] = {"systemd": (), "sysv": (), "openrc": ("openrc",), "runit": ("runit-init",)}
_STACKED = ("mdadm", "cryptsetup-initramfs", "thin-provisioning-tools", "network-manager")


@dataclass(frozen=True, slots=True)
class Base:
    """An installed Debian: what the sample guests' builder installs for ``spec``, or else more than that. ``stacked`` has the tools of MD,
    LUKS and thin volumes, and NetworkManager; ``kernel`` is one that Spec does not know, of the architecture i386. ``needed``
    are folders of modules that drivers need in this kernel only."""

    spec: Spec = Spec()
    init: Init = "systemd"
    kernel: str = ""
    stacked: bool = False
    needed: tuple[str, ...] = ()

    @property
    def more(self) -> tuple[str, ...]:
        """The packages that the builder of sample guests does not install."""
        return (*_INITS[self.init], *([f"linux-image-{self.kernel}"] if self.kernel else []), *(_STACKED if self.stacked else ()))

    @property
    def packages(self) -> tuple[str, ...]:
        """What is installed on top of Debian's smallest system."""
        left = [*(["systemd-sysv"] if self.init == "runit" else []), *(["linux-image-amd64", "grub-efi-amd64-bin"] if self.kernel else [])]
        return (*(one for one in debian.packages_of(self.spec) if one not in left), *self.more)

    @property
    def no_modules(self) -> tuple[str, ...]:
        """The folders of modules that are left out."""
        return tuple(path for path in _NO_MODULES if path not in self.needed)


BASES: dict[str, Base] = {
    "bookworm": Base(),
    "bullseye": Base(Spec(suite="bullseye"), needed=("drivers/ptp", "drivers/pps")),
    "trixie": Base(Spec(suite="trixie")),
    "bookworm-dracut": Base(Spec(initramfs="dracut")),
    "bookworm-stacked": Base(stacked=True),
    "bookworm-sysv-cloud": Base(Spec(init="sysv", kernel="cloud-amd64"), "sysv"),
    "bookworm-openrc": Base(Spec(init="sysv"), "openrc"),
    "bookworm-runit": Base(init="runit"),
    "trixie-rt": Base(Spec(suite="trixie", kernel="rt-amd64")),
    "bookworm-i686-pae": Base(kernel="686-pae", needed=("drivers/dax",)),
    "bookworm-arm64": Base(Spec(arch="arm64", firmware="uefi")),
}
# Drivers of hardware that no virtual machine has, and what else no cell asks for.
_NO_MODULES = (
    "drivers/gpu", "drivers/media", "drivers/infiniband", "drivers/iio", "drivers/staging", "drivers/isdn", "drivers/hwmon",
    "drivers/mfd", "drivers/net/wireless", "drivers/bluetooth", "drivers/platform", "drivers/mtd", "drivers/leds", "drivers/power",
    "drivers/thunderbolt", "drivers/comedi", "drivers/video", "drivers/mmc", "drivers/pinctrl", "drivers/i2c", "drivers/spi",
    "drivers/target", "drivers/crypto", "drivers/edac", "drivers/accel", "drivers/w1", "drivers/parport", "drivers/memstick",
    "drivers/ntb", "drivers/gnss", "sound", "net/bluetooth", "net/wireless", "net/mac80211", "net/netfilter", "net/ipv4/netfilter",
    "net/ipv6/netfilter", "net/sched", "net/rds", "net/sctp", "net/tipc", "net/sunrpc", "net/ceph", "net/rxrpc", "net/bridge", "net/dccp",
    "net/batman-adv", "net/smc", "net/nfc", "net/openvswitch", "net/can", "net/mac802154", "net/l2tp", "net/9p", "net/wimax",
    "fs/nfs", "fs/nfsd", "fs/ceph", "fs/ocfs2", "fs/gfs2", "fs/smb", "fs/afs", "fs/bcachefs", "fs/f2fs", "fs/ubifs", "fs/jffs2",
    "fs/nilfs2", "fs/reiserfs", "fs/jfs", "fs/dlm", "fs/orangefs", "fs/cachefiles", "fs/exfat", "fs/ntfs3", "fs/udf",
    "drivers/net/usb", "drivers/net/can", "drivers/net/wan", "drivers/net/phy", "drivers/net/dsa", "drivers/net/hamradio",
    "drivers/net/wwan", "drivers/net/bonding", "drivers/net/team", "drivers/net/vmxnet3x", "drivers/net/wireguard",
    "drivers/bcma", "drivers/net/ethernet/[b-hj-qs-z]*", "drivers/net/ethernet/a[a-ln-z]*", "drivers/net/ethernet/amd/xgbe",
    "drivers/net/ethernet/intel/i[a-z0-9]*", "drivers/usb", "drivers/firewire", "drivers/scsi/[abceg-ln-rtuw-z]*", "drivers/scsi/f*",
    "drivers/scsi/mpi3mr", "drivers/scsi/mpt3sas", "drivers/scsi/megaraid*", "drivers/scsi/mvsas", "drivers/hid", "drivers/input/t*",
    "drivers/input/joystick", "drivers/input/mouse", "drivers/char/ipmi", "drivers/nfc", "drivers/vhost", "drivers/vfio",
    "drivers/block/drbd",
    "drivers/nvdimm", "drivers/ufs", "drivers/misc", "drivers/android", "drivers/hv", "drivers/dax", "drivers/acpi/nfit", "arch/x86/kvm",
    "arch/x86/events", "lib/test_*", "drivers/md/bcache", "drivers/md/dm-vdo", "drivers/md/dm-zoned*", "virt",
    # What udev would load for QEMU's hardware without any use: in emulation each module takes a second.
    "drivers/accessibility", "drivers/cpufreq", "drivers/watchdog", "drivers/thermal", "drivers/input/misc", "drivers/input/evdev*",
    "drivers/input/joydev*", "drivers/input/serio/serio_raw*", "drivers/char/tpm", "drivers/char/hw_random", "drivers/char/agp",
    "drivers/char/lp*", "drivers/char/ppdev*", "drivers/block/floppy*", "drivers/scsi/sg.*", "drivers/scsi/sr_mod*", "drivers/cdrom",
    "drivers/firmware/qemu_fw_cfg*", "drivers/firmware/dmi-sysfs*", "drivers/powercap", "drivers/atm", "drivers/uio", "drivers/ptp",
    "drivers/pps", "drivers/soundwire", "drivers/gpio", "drivers/hwtracing", "drivers/pcmcia", "drivers/extcon", "drivers/pwm",
)  # fmt: skip
_DOCUMENTS = ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/i18n", "usr/share/bug")
_NO_FILES = (
    "usr/share/perl*", "usr/share/zoneinfo", "var/lib/apt", "var/cache", "usr/lib/gcc",
    "usr/lib/python3*", "usr/lib/valgrind", "usr/lib/udev/hwdb.d", "usr/lib/udev/hwdb.bin",
    "usr/lib/*-linux-gnu/gconv", "usr/lib/*-linux-gnu/perl*", "usr/share/bash-completion", "boot/initrd.img-*",
    "boot/System.map*",
)  # fmt: skip
_UNITS = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer",
    "systemd-timesyncd.service", "systemd-journal-flush.service", "systemd-random-seed.service", "systemd-update-utmp.service",
    "systemd-update-utmp-runlevel.service", "systemd-tmpfiles-clean.timer", "systemd-pstore.service", "getty@tty1.service",
    "lvm2-monitor.service", "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "dev-hugepages.mount", "dev-mqueue.mount",
    "sys-kernel-config.mount", "sys-fs-fuse-connections.mount", "proc-sys-fs-binfmt_misc.automount", "modprobe@.service",
    "mdmonitor.service", "mdcheck_start.timer", "mdmonitor-oneshot.timer", "mdcheck_continue.timer", "logrotate.timer",
    "ModemManager.service", "polkit.service", "networkd-dispatcher.service", "systemd-logind.service", "systemd-sysctl.service",
    "systemd-modules-load.service", "systemd-fsckd.service", "systemd-fsckd.socket", "kmod-static-nodes.service", "ifupdown-pre.service",
    "systemd-journald-audit.socket",
)  # fmt: skip


def home() -> Path:
    """The folder in the cache."""
    return debian.cache_dir() / "truth"


def tree(name: str) -> Path:
    """The folder with the files of the base ``name``."""
    base = BASES[name]
    folder = home() / f"{name}-{key(base.packages, base.no_modules, _DOCUMENTS, _NO_FILES, _UNITS)}"
    with locked(folder):
        if not folder.exists():
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            _install(base, partial)
            _slim(base, partial)
            partial.rename(folder)
    return folder


def key(*parts: object) -> str:
    """A short name for what something is made of."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def _install(base: Base, folder: Path) -> None:
    if not base.more:
        folder.mkdir(parents=True)
        unwanted = [f"--exclude=./{path}" for path in _modules(base)]
        archive = debian.package_set(base.spec)
        run("tar", "--zstd", "-xf", archive, "-C", folder, "--numeric-owner", "--same-owner", "-p", "--wildcards", *unwanted)
        return
    unwanted = [f"--dpkgopt=path-exclude=/{path}/*" for path in (*_DOCUMENTS, *_modules(base))]
    words = ("--variant=minbase", f"--arch={'i386' if base.kernel else 'amd64'}", f"--include={','.join(base.packages)}")
    # The suite alone: what a mirror has of the security archive need not be whole for every architecture.
    suite_alone = '--setup-hook=sed -i /security/d "$1/etc/apt/sources.list"'
    # INITRD is asked for by the kernel packages' hooks: each cell has an initramfs of its own.
    run("mmdebstrap", *words, "--format=directory", suite_alone, *unwanted, base.spec.suite, folder, env={"INITRD": "No"})


def _modules(base: Base) -> Iterator[str]:
    for top in ("usr/lib", "lib"):
        yield from (f"{top}/modules/*/kernel/{path}" for path in base.no_modules)


def _slim(base: Base, folder: Path) -> None:
    for path in (one for pattern in (*_DOCUMENTS, *_NO_FILES, *_modules(base)) for one in folder.glob(pattern)):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    run("depmod", "-b", folder, debian_config.kernel_version(folder))
    units = folder / "etc/systemd/system"
    for unit in _UNITS if units.exists() else ():
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    for platform in ("i386-pc", "x86_64-efi", "arm64-efi"):
        if (folder / "usr/lib/grub" / platform).exists():
            grub.copy_modules(folder, platform, folder / "boot")
