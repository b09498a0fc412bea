"""The files that make an unpacked Debian a bootable guest of one :class:`~guestbuild.debian.Spec`: fstab, GRUB, initramfs, network."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from guestbuild.tools import BuildError, run, stable_uuid

if TYPE_CHECKING:
    from guestbuild.debian import Spec

_LISTED = ("ahci", "ata_piix", "ata_generic", "sd_mod", "ext4", "xfs", "btrfs", "dm_mod")
_INIT = """\
#include <unistd.h>
int main(int argc, char **argv) { (void)argc; return execv("/lib/systemd/systemd", argv); }
"""


def configure(tree: Path, spec: Spec, work: Path) -> None:
    """Write everything into ``tree`` and make the initramfs again where the stock one does not fit."""
    if settings(tree, spec, work):
        make_initramfs(tree, spec)


def settings(tree: Path, spec: Spec, work: Path) -> bool:
    """Write everything but the initramfs into ``tree``; whether the stock one does not fit."""
    write(tree, "etc/hostname", "guest\n")
    write(tree, "etc/hosts", "127.0.0.1\tlocalhost\n127.0.1.1\tguest\n")
    write(tree, "etc/machine-id", "")
    # mmdebstrap leaves the builder's own name server there.
    (tree / "etc/resolv.conf").unlink(missing_ok=True)
    write(tree, "etc/fstab", fstab(spec))
    _set_password(tree)
    _network(tree, spec)
    _grub(tree, spec)
    if spec.cpu_v3:
        _init_for_v3(tree, work)
    if spec.init == "sysv":
        with (tree / "etc/inittab").open("a", encoding="utf-8") as stream:
            stream.write("T0:23:respawn:/sbin/getty -L ttyS0 115200 vt100\n")
    return _initramfs_settings(tree, spec)


def write(tree: Path, name: str, text: str) -> None:
    """Create or replace a text file in the tree."""
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text, encoding="utf-8")


def fstab(spec: Spec) -> str:
    """The guest's /etc/fstab."""
    root = spec.root_device if spec.lvm or spec.fstab_device else f"UUID={spec.uuid('root')}"
    options = "errors=remount-ro" if spec.fs == "ext4" else "defaults"
    lines = ["# <file system> <mount point> <type> <options> <dump> <pass>", f"{root} / {spec.fs} {options} 0 1"]
    if spec.lvm:
        lines.append(f"UUID={spec.uuid('boot')} /boot ext4 defaults 0 2")
    if spec.firmware == "uefi":
        serial = spec.uuid("esp").replace("-", "")[:8].upper()
        lines.append(f"UUID={serial[:4]}-{serial[4:]} /boot/efi vfat umask=0077 0 1")
    if spec.missing_disk:
        flags = "defaults,nofail" if spec.missing_disk == "nofail" else "defaults"
        lines.append(f"UUID={stable_uuid('a disk left behind')} /data ext4 {flags} 0 2")
    return "\n".join(lines) + "\n"


def command_line(spec: Spec) -> str:
    """The kernel arguments after ``root=``."""
    words = ["ro", "console=tty0", f"console={'ttyS0' if spec.arch == 'amd64' else 'ttyAMA0'},115200"]
    words += ["net.ifnames=0"] if spec.network == "ifupdown" else []
    words += [f"resume=UUID={stable_uuid('a swap left behind')}"] if spec.resume else []
    return " ".join(words)


def kernel_version(tree: Path) -> str:
    """The version of the one kernel installed."""
    versions = sorted(path.name.removeprefix("vmlinuz-") for path in (tree / "boot").glob("vmlinuz-*"))
    if len(versions) != 1:
        raise BuildError(f"expected one kernel in /boot, found {versions}")
    return versions[0]


def fill_esp(esp: Path, application: Path, spec: Spec) -> None:
    """Put GRUB where Debian's installer puts it and, if asked, at the path every firmware tries."""
    suffix = "x64" if spec.arch == "amd64" else "aa64"
    for folder in ("EFI/debian", *(["EFI/BOOT"] if spec.fallback else [])):
        (esp / folder).mkdir(parents=True)
        shutil.copyfile(application, esp / folder / (f"BOOT{suffix.upper()}.EFI" if folder.endswith("BOOT") else f"grub{suffix}.efi"))


def _set_password(tree: Path) -> None:
    hashed = run("openssl", "passwd", "-6", "-salt", "guestbuild", "debian").strip()
    shadow = (tree / "etc/shadow").read_text(encoding="utf-8").splitlines()
    fields = [line.split(":") for line in shadow]
    lines = [":".join([name, hashed if name == "root" else old, *rest]) for name, old, *rest in fields]
    (tree / "etc/shadow").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _network(tree: Path, spec: Spec) -> None:
    if spec.network == "networkd":
        write(tree, "etc/systemd/network/20-wired.network", "[Match]\nType=ether\n\n[Network]\nDHCP=yes\n")
        _enable(tree, "systemd-networkd.service", "multi-user.target")
        write(tree, "etc/network/interfaces", "auto lo\niface lo inet loopback\n")
        return
    name = "eth0" if spec.network == "ifupdown" else "ens192"
    write(tree, "etc/network/interfaces", f"auto lo\niface lo inet loopback\n\nallow-hotplug {name}\niface {name} inet dhcp\n")


def _enable(tree: Path, unit: str, target: str) -> None:
    link = tree / f"etc/systemd/system/{target}.wants/{unit}"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(f"/lib/systemd/system/{unit}")


def _grub(tree: Path, spec: Spec) -> None:
    version = kernel_version(tree)
    root = spec.root_device if spec.lvm or spec.root == "device" else f"UUID={spec.uuid('root')}"
    arguments = command_line(spec).removeprefix("ro ")
    defaults = ["GRUB_DEFAULT=0", "GRUB_TIMEOUT=1", 'GRUB_DISTRIBUTOR="Debian"', 'GRUB_CMDLINE_LINUX_DEFAULT=""']
    defaults += [f'GRUB_CMDLINE_LINUX="{arguments}"', "GRUB_TERMINAL=console"]
    defaults += ["GRUB_DISABLE_LINUX_UUID=true"] if spec.root == "device" else []
    write(tree, "etc/default/grub", "\n".join(defaults) + "\n")
    folder, boot = ("", spec.uuid("boot")) if spec.lvm else ("/boot", spec.uuid("root"))
    module = {"ext4": "ext2"}.get("ext4" if spec.lvm else spec.fs, spec.fs)
    write(tree, "boot/grub/grub.cfg", _grub_cfg(spec, version, folder, boot, module, f"root={root} {command_line(spec)}"))


def _grub_cfg(spec: Spec, version: str, folder: str, boot: str, module: str, arguments: str) -> str:
    table = "part_gpt" if spec.firmware == "uefi" else "part_msdos"
    return textwrap.dedent(f"""\
        #
        # DO NOT EDIT THIS FILE
        #
        # It is generated by grub-mkconfig using templates
        # from /etc/grub.d and settings from /etc/default/grub
        #
        if [ -s $prefix/grubenv ]; then
          set have_grubenv=true
          load_env
        fi
        set default="0"
        terminal_output console
        set timeout=1
        menuentry 'Debian GNU/Linux' --class debian --class gnu-linux --class os $menuentry_id_option 'gnulinux-simple-{boot}' {{
        \tinsmod gzio
        \tinsmod {table}
        \tinsmod {module}
        \tsearch --no-floppy --fs-uuid --set=root {boot}
        \techo\t'Loading Linux {version} ...'
        \tlinux\t{folder}/vmlinuz-{version} {arguments}
        \techo\t'Loading initial ramdisk ...'
        \tinitrd\t{folder}/initrd.img-{version}
        }}
        """)


def _initramfs_settings(tree: Path, spec: Spec) -> bool:
    for name in spec.blacklist:
        write(tree, f"etc/modprobe.d/{name}.conf", f"blacklist {name}\n")
    if spec.modules == "list" and spec.initramfs == "dracut":
        only = f'drivers+=" {" ".join(_LISTED)} "\n'
        write(tree, "etc/dracut.conf.d/local.conf", f'{only}omit_dracutmodules+=" qemu qemu-net virtiofs "\n')
    elif spec.modules == "list":
        write(tree, "etc/initramfs-tools/conf.d/modules", "MODULES=list\n")
        write(tree, "etc/initramfs-tools/modules", "".join(f"{name}\n" for name in _LISTED))
    return spec.modules == "list" or bool(spec.blacklist)


def make_initramfs(tree: Path, spec: Spec) -> None:
    """Make the one kernel's initramfs with the guest's own tool."""
    version = kernel_version(tree)
    if spec.initramfs == "dracut":
        _inside(tree, "dracut", "--force", f"/boot/initrd.img-{version}", version)
    else:
        _inside(tree, "update-initramfs", "-u", "-k", version)


def _inside(tree: Path, *command: str) -> None:
    script = 'mount -t proc proc "$1/proc" 2>/dev/null; mount --rbind /dev "$1/dev" 2>/dev/null; tree=$1; shift; exec chroot "$tree" "$@"'
    outer = ["unshare", "--mount", "--fork"] if _can_unshare() else []
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": "/tmp"}
    run(*outer, "sh", "-c", script, "sh", tree, *command, env=environment)


def _can_unshare() -> bool:
    try:
        run("unshare", "--mount", "true")
    except BuildError:
        return False
    return True


def _init_for_v3(tree: Path, work: Path) -> None:
    source = work / "init.c"
    source.write_text(_INIT, encoding="ascii")
    target = tree / "usr/local/sbin/init"
    run("gcc", "-O2", "-march=x86-64-v3", "-Wl,-z,x86-64-v3", "-o", target, source)
    link = tree / "sbin/init"
    link.unlink()
    link.symlink_to("/usr/local/sbin/init")
