"""Xorg itself on QEMU's display cards: which configurations it starts with. ``python -m tests.truth.xorg [CARD…]`` prints the cells.

Debian's X server with its drivers and the kernel's DRM modules are packed into an initramfs whose init tries one ``xorg.conf`` after the
other and writes what became of it to the serial console. A server that initialises its extensions has found a screen.
``tests/facts/environment/xorg_cells.tsv`` keeps the cells; the rules are held to them by ``test_xorg_cells.py``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

PACKAGES = (
    "busybox-static", "kmod", "udev", "xserver-xorg-core", "xserver-xorg-video-vesa", "xserver-xorg-video-fbdev", "x11-xkb-utils",
    "xserver-xorg-video-vmware", "xserver-xorg-video-qxl", "xkb-data", "linux-image-amd64",
)  # fmt: skip
CARDS = ("std", "virtio", "cirrus", "qxl", "vmware")
OTHER = (
    'Section "Device"\n Identifier "any"\n Driver "modesetting"\nEndSection\nSection "Screen"\n Identifier "S"\n Device "any"\nEndSection\n'
)
INIT = """#!/bin/busybox sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:/bb
/bin/busybox mkdir -p /bb /proc /sys /dev /tmp /run /var/log /var/lib/xkb
/bin/busybox --install -s /bb
mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev; mount -t tmpfs none /tmp
exec >/dev/ttyS0 2>&1
modprobe -a bochs virtio-gpu cirrus qxl vmwgfx virtio_pci
sleep 2
for conf in /confs/*; do
  rm -f /tmp/log /tmp/.X0-lock /tmp/.X11-unix/X0; seconds=0; found=silent
  if [ -s $conf ]; then set -- -config $conf; else set --; fi
  /usr/lib/xorg/Xorg :0 "$@" -logfile /tmp/log -noreset -nolisten tcp vt1 >/tmp/out 2>&1 & server=$!
  while [ $seconds -lt 120 ]; do
    if grep -q 'Initializing extension' /tmp/log 2>/dev/null; then found=up; break; fi
    if ! kill -0 $server 2>/dev/null; then found=dead; break; fi
    sleep 1; seconds=$((seconds + 1))
  done
  echo "CELL ${conf##*/} $found" $(grep -h '^[[].*[]] (EE) [^ ]' /tmp/log | grep -v dbus-core | sed 's/^[^)]*) //; s/(EE)$//' | head -n 1)
  kill -9 $server; wait $server; sleep 1
done
poweroff -f
"""


def configurations() -> dict[str, str]:
    """``xorg.conf`` by the name of its cell; empty for a server without one."""
    device = 'Section "Device"\n Identifier "Card0"\n{}EndSection\n'
    names = ("modesetting", "fbdev", "vesa", "vmware", "qxl", "nvidia", "intel", "cirrus")
    drivers = {name: device.format(f' Driver "{name}"\n') for name in names}
    elsewhere = {"busid-elsewhere": "modesetting", "fbdev-busid": "fbdev"}
    buses = {name: device.format(f' Driver "{driver}"\n BusID "PCI:0:15:0"\n') for name, driver in elsewhere.items()}
    return {"none": "", **drivers, **buses, "screen-other": drivers["nvidia"] + OTHER}


def build(folder: Path) -> tuple[Path, Path]:
    """The kernel and the initramfs."""
    tree = folder / "tree"
    command = ("mmdebstrap", "--variant=extract", f"--include={','.join(PACKAGES)}", "bookworm", tree)
    subprocess.run([str(word) for word in command], check=True)
    (tree / "confs").mkdir()
    for name, text in configurations().items():
        (tree / "confs" / name).write_text(text)
    (tree / "init").write_text(INIT)
    (tree / "init").chmod(0o755)
    kernel = next((tree / "boot").glob("vmlinuz-*")).rename(folder / "kernel")
    subprocess.run(["depmod", "-b", str(tree), next((tree / "lib/modules").iterdir()).name], check=True)
    drop = "-path ./usr/share/doc -o -path ./usr/share/locale -o -path './lib/modules/*/kernel/net' -o -path './lib/modules/*/kernel/sound'"
    pack = f"find . \\( {drop} \\) -prune -o -print | cpio -o -H newc --quiet | gzip -1 > ../initrd"
    subprocess.run(["sh", "-c", pack], cwd=tree, check=True)
    return kernel, folder / "initrd"


def cells(kernel: Path, initrd: Path, card: str, *arguments: str) -> Iterator[tuple[str, str, str]]:
    """Configuration, ``up``, ``dead`` or ``silent``, and the server's first errors, on one card."""
    machine = (
        "qemu-system-x86_64",
        "-m",
        "2000",
        "-smp",
        "2",
        "-display",
        "none",
        "-nodefaults",
        "-vga",
        card,
        "-serial",
        "stdio",
        "-no-reboot",
    )
    boot = ("-kernel", kernel, "-initrd", initrd, "-append", " ".join(("console=ttyS0 rdinit=/init quiet panic=1", *arguments)))
    done = subprocess.run([str(word) for word in (*machine, *boot)], capture_output=True, text=True, timeout=3600, check=False)
    for line in done.stdout.splitlines():
        word, _, rest = line.strip().partition("CELL ")
        if not word and rest:
            name, found, *errors = rest.split(" ", 2)
            yield name, found, "".join(errors)


def main() -> None:
    """Print the cells of the cards named, or of all, with and without kernel drivers."""
    with tempfile.TemporaryDirectory() as folder:
        kernel, initrd = build(Path(folder))
        for card in sys.argv[1:] or CARDS:
            for kms, arguments in (("kms", ()), ("nomodeset", ("nomodeset",))):
                for cell in cells(kernel, initrd, card, *arguments):
                    print(card, kms, *cell, sep="\t", flush=True)


if __name__ == "__main__":
    main()
