"""Weston itself on QEMU's display cards: with which kernel drivers it starts. ``python -m tests.truth.wayland [CARD…]`` prints the cells.

Debian's compositor and the kernel's DRM modules are packed into an initramfs. Its init loads what the devices ask for, as udev does, with
the card's driver removed, blacklisted, with ``modeset=0`` or ``1``, and as it is, and starts Weston (DRM backend, pixman) each time. One
that enables an output has found a display. ``tests/facts/environment/wayland_cells.tsv`` keeps the cells; the rule is held to them by
``test_wayland_cells.py``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("busybox-static", "kmod", "weston", "xkb-data", "linux-image-amd64")
CARDS = {"std": "bochs", "virtio": "virtio-gpu", "cirrus": "cirrus", "qxl": "qxl"}
KERNELS = (("bios", ""), ("bios", "nomodeset"), ("bios", "vga=791"), ("uefi", ""), ("uefi", "nomodeset"))
FIRMWARE = {"bios": (), "uefi": ("-bios", "/usr/share/ovmf/OVMF.fd")}
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
OBJECTS = ("/usr/bin/weston", f"{LIBRARIES}/libweston-10/drm-backend.so", f"{LIBRARIES}/weston/kiosk-shell.so", "/bin/kmod")
OTHERS = ("/lib64/ld-linux-x86-64.so.2", "/bin/busybox", "/sbin/modprobe", "/sbin/depmod", "/usr/share/X11/xkb")
MODULES = ("gpu/drm", "virtio", "i2c")
BIG = ("amd", "i915", "nouveau", "radeon", "vmwgfx")
INIT = """#!/bin/busybox sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:/bb XDG_RUNTIME_DIR=/run/user
/bin/busybox mkdir -p /bb /proc /sys /dev /tmp /run /etc/modprobe.d
/bin/busybox --install -s /bb
mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev; mount -t tmpfs none /tmp; mount -t tmpfs none /run
mkdir -m 700 $XDG_RUNTIME_DIR
exec >/dev/ttyS0 2>&1
plug() {
  for bus in pci virtio; do
    for alias in /sys/bus/$bus/devices/*/modalias; do [ -e $alias ] && /sbin/modprobe -q -b $(cat $alias); done
  done
  sleep 1
}
cell() {
  rm -f /tmp/log; seconds=0; found=silent; reason=; plug
  set -- "$1" --backend=drm-backend.so --use-pixman --tty=1 --shell=kiosk-shell.so --idle-time=0 --continue-without-input
  label=$1; shift; weston "$@" --log=/tmp/log >/tmp/out 2>&1 &
  server=$!
  while [ $seconds -lt 120 ]; do
    if grep -q 'enabled with head' /tmp/log; then found=up; break; fi
    if ! kill -0 $server; then found=dead; reason=$(sed -n '/no drm device/s/^[^]]*] //p' /tmp/log | head -n 1); break; fi
    sleep 1; seconds=$((seconds + 1))
  done
  echo "CELL $label,$found,$(cd /dev; ls -d fb[0-9] dri/card[0-9] 2>/dev/null | xargs),$reason"
  kill $server; wait $server
}
option() { echo "$1" >/etc/modprobe.d/cell.conf; cell "$2"; rm /etc/modprobe.d/cell.conf; }
driver=$(sed 's/.*driver=\\([^ ]*\\).*/\\1/' /proc/cmdline)
file=$(find /lib/modules -name $driver.ko)
if grep -q nomodeset /proc/cmdline; then
  cell loaded; rmmod $driver
  [ $driver = cirrus ] || option "options $driver modeset=1" modeset=1
else
  mv $file /tmp; depmod; cell missing; mv /tmp/$driver.ko $file; depmod
  option "blacklist $driver" blacklisted
  [ $driver = cirrus ] || option "options $driver modeset=0" modeset=0
  rmmod $driver; cell loaded
fi
poweroff -f
"""


def unpack(folder: Path) -> Path:
    """A tree with the packages."""
    tree = folder / "tree"
    command = ("mmdebstrap", "--variant=extract", f"--include={','.join(PACKAGES)}", "bookworm", tree)
    subprocess.run([str(word) for word in command], check=True)
    return tree


def pack(tree: Path, folder: Path) -> tuple[Path, Path]:
    """The kernel and the initramfs: of the tree, what Weston needs."""
    (root := folder / "root").mkdir()
    version = next((tree / "lib/modules").iterdir()).name
    lists = [f"/lib/modules/{version}/modules.{name}" for name in ("order", "builtin", "builtin.modinfo")]
    drivers = [f"/lib/modules/{version}/kernel/drivers/{name}" for name in MODULES]
    names = dict.fromkeys((*OTHERS, *OBJECTS, *lists, *drivers, *(one for path in OBJECTS for one in _libraries(tree, path))))
    spared = [f"--exclude=gpu/drm/{name}" for name in BIG]
    copied = subprocess.run(["chroot", str(tree), "tar", "-chf", "-", *spared, *names], capture_output=True, check=True)
    subprocess.run(["tar", "-xf", "-", "-C", str(root)], input=copied.stdout, check=True)
    subprocess.run(["depmod", "-b", str(root), version], check=True)
    (root / "init").write_text(INIT)
    (root / "init").chmod(0o755)
    subprocess.run(["sh", "-c", "find . | cpio -o -H newc --quiet >../initrd"], cwd=root, check=True)
    return next((tree / "boot").glob("vmlinuz-*")), folder / "initrd"


def _libraries(tree: Path, path: str) -> Iterator[str]:
    found = f"LD_LIBRARY_PATH={LIBRARIES}/weston:{LIBRARIES}/libweston-10"
    command = ("chroot", str(tree), "env", found, OTHERS[0], "--list", path)
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        yield from (word for word in line.split() if word.startswith("/"))


def cells(kernel: Path, initrd: Path, card: str, firmware: str, arguments: str) -> Iterator[list[str]]:
    """What is with the driver, ``up``, ``dead`` or ``silent``, the devices in /dev, and Weston's reason."""
    machine = ("qemu-system-x86_64", "-m", "1000", "-display", "none", "-nodefaults", "-vga", card, "-serial", "stdio", "-no-reboot")
    line = f"console=ttyS0 rdinit=/init quiet panic=1 mitigations=off driver={CARDS[card]} {arguments}"
    boot = (*FIRMWARE[firmware], "-kernel", kernel, "-initrd", initrd, "-append", line)
    done = subprocess.run([str(word) for word in (*machine, *boot)], capture_output=True, timeout=3600, check=False)
    for told in done.stdout.decode(errors="replace").splitlines():
        before, _, rest = told.strip().partition("CELL ")
        if rest and not before:
            yield rest.split(",")


def row(card: str, firmware: str, arguments: str, driver: str, seen: str, devices: str, reason: str) -> str:
    """The line of docs/x-displays.md for a cell."""
    words = {"missing": "not installed", "blacklisted": "blacklisted", "loaded": "installed"}
    line = f"`{arguments}`" if arguments else ""
    return f"| {card} | {firmware.upper()} | {line} | {words.get(driver, f'`{driver}`')} | {devices} | {seen} | {reason} |"


def main() -> None:
    """Print the cells of the cards named, or of all."""
    with tempfile.TemporaryDirectory() as folder:
        kernel, initrd = pack(unpack(Path(folder)), Path(folder))
        for card in sys.argv[1:] or CARDS:
            for firmware, arguments in KERNELS:
                for cell in cells(kernel, initrd, card, firmware, arguments):
                    print(card, firmware, arguments, *cell, sep="\t", flush=True)


if __name__ == "__main__":
    main()
