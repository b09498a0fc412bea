"""A running machine: the output of a small script about its hardware, and the definition made from it. The script changes nothing.

Its output is lines of a keyword and fields, separated by tabs. From another host that is hostile input: it is parsed in the child.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.model.dataclass import dataclass
from v2vlint.model.definition import ControllerDevice, Definition, DiskDevice, Feature, NicDevice
from v2vlint.model.errors import ImageError
from v2vlint.model.place import WholeFile
from v2vlint.source.values import identifier, mac_address, number

SOURCE = "machine"
SERVERS = (
    "/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server", "/usr/libexec/sftp-server",
    "/usr/lib/sftp-server",
)  # fmt: skip
"""Where systems have OpenSSH's SFTP server."""
MAX_TEXT = 4 << 20
_DISK = re.compile(r"[a-z][a-z0-9]{1,30}")
_PCI = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]")
# Classes of PCI devices, as sysfs writes them.
_STORAGE, _RAID, _DISPLAY = "0x01", "0x0104", "0x03"

# c: a newline or a tab in a value would begin another field. -j4: efivarfs puts four bytes of attributes before a value.
# Only what has a device is listed: bridges, loop devices and the like have none.
SCRIPT = r"""
LC_ALL=C; export LC_ALL
c() { printf '%s' "$1" | tr '\n\t' '  '; }
t() { k=$1; shift; printf '%s' "$k"; for v in "$@"; do printf '\t'; c "$v"; done; printf '\n'; }
r() { head -c 4096 "$1" 2>/dev/null; }
d() { [ -e "$1" ] && b=$(readlink -f "$1") && printf '%s' "${b##*/}"; }
t user "$(id -u)"; t host "$(uname -n)"; t kernel "$(uname -r)"; t arch "$(uname -m)"
for f in sys_vendor product_name product_uuid bios_vendor; do t dmi "$f" "$(r /sys/class/dmi/id/$f)"; done
if [ -d /sys/firmware/efi ]; then t efi yes; elif [ -d /sys/firmware ]; then t efi no; fi
for f in /sys/firmware/efi/efivars/SecureBoot-*; do [ -r "$f" ] && t secureboot "$(od -An -tu1 -j4 -N1 "$f")"; done
for f in /sys/class/tpm/tpm[0-9]*; do [ -e "$f" ] && t tpm yes; done
t memory "$(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo)"
t cpus "$(grep -c '^processor' /proc/cpuinfo)"; t cpu "$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)"
for p in /sys/bus/pci/devices/*; do
  [ -e "$p" ] && t pci "${p##*/}" "$(r "$p/class")" "$(r "$p/vendor")" "$(r "$p/device")" "$(d "$p/driver")"
done
for p in /sys/class/net/*; do
  [ -e "$p/device" ] && t net "${p##*/}" "$(r "$p/address")" "$(d "$p/device/driver")"
done
for p in /sys/block/*; do
  [ -e "$p/device" ] || continue
  n=${p##*/}; o=no; head -c 512 "/dev/$n" >/dev/null 2>&1 && o=yes
  t disk "$n" "$(r "$p/size")" "$(r "$p/removable")" "$(r "$p/device/model")" "$(readlink -f "$p")" "$o"
done
awk '$5 == "/" { for (i = 7; i < NF; i++) if ($i == "-") print "root\t" $(i + 1) "\t" $(i + 2) }' /proc/self/mountinfo
for f in SFTP; do [ -x "$f" ] && t sftp "$f"; done
t end
""".replace("SFTP", " ".join(SERVERS))


@dataclass(frozen=True, slots=True)
class LiveDisk:
    """A disk of the machine: its kernel name, size in bytes, model, path in sysfs, and whether it can be read."""

    name: str
    size: int
    model: str
    place: str
    readable: bool


class LiveMachine:
    """The output of the script. ImageError when it is incomplete."""

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._lines = [line.split("\t") for line in text[:MAX_TEXT].splitlines()]
        if ["end"] not in self._lines:
            raise ImageError(f"{name}: looking at its hardware did not come to an end", hint="is it a Linux system with /proc and /sys?")

    def every(self, word: str, count: int) -> Iterator[list[str]]:
        """The fields of all lines with the keyword ``word``, at least ``count`` of them."""
        for line in self._lines:
            if line[0] == word:
                yield [field.strip() for field in line[1:]] + [""] * (count - len(line) + 1)

    def one(self, word: str) -> str:
        """The field of the first line with the keyword ``word``; empty when there is none."""
        return next((fields[0] for fields in self.every(word, 1)), "")

    @property
    def is_root(self) -> bool:
        """Whether the script ran as root."""
        return self.one("user") == "0"

    @property
    def open_disks(self) -> tuple[LiveDisk, ...]:
        """Its disks, if all of them can be read."""
        return self.disks if all(disk.readable for disk in self.disks) else ()

    @property
    def server(self) -> str:
        """Its SFTP server, if it is in a usual place."""
        return next((fields[0] for fields in self.every("sftp", 1) if fields[0] in SERVERS), "")

    @property
    def disks(self) -> tuple[LiveDisk, ...]:
        """Its disks, in the kernel's order of letters, without removable and empty ones."""
        rows = list(self.every("disk", 6))
        found = (
            # sysfs counts in 512 bytes, whatever the disk's sectors are (Documentation/ABI/stable/sysfs-block).
            LiveDisk(name, number(size) * 512, model, place, readable == "yes")
            for name, size, removable, model, place, readable in (row[:6] for row in rows)
            if _DISK.fullmatch(name) and number(size) and removable != "1" and not name.startswith(("loop", "sr", "fd", "zram", "ram"))
        )
        # sdz comes before sdaa.
        return tuple(sorted(found, key=lambda disk: (len(disk.name), disk.name)))

    @property
    def root_type(self) -> str:
        """The type of the filesystem at ``/``."""
        return self.one("root")

    def definition(self) -> Definition:
        """The hardware as a machine definition."""
        place = WholeFile(self._name)
        dmi = {fields[0]: fields[1] for fields in self.every("dmi", 2)}
        drivers = {fields[0]: fields[4] for fields in self.every("pci", 5)}
        nics = [fields[:3] for fields in self.every("net", 3) if mac_address(fields[1])]
        return Definition(
            source=SOURCE,
            where=self._name,
            name=self.one("host"),
            firmware={"yes": "uefi", "no": "bios"}.get(self.one("efi"), ""),
            disks=tuple(self._disk(disk, drivers) for disk in self.disks),
            nics=tuple(NicDevice(mac_address(mac), driver, name, kind="physical", where=place) for name, mac, driver in nics),
            secure_boot=self.one("secureboot") == "1",
            tpm=self.one("tpm") == "yes",
            memory_mib=number(self.one("memory")) >> 10,  # MemTotal is in KiB
            cpus=number(self.one("cpus")),
            cpu_model=self.one("cpu"),
            machine=f"{dmi.get('sys_vendor', '')} {dmi.get('product_name', '')}".strip(),
            video=tuple(fields[4] for fields in self.every("pci", 5) if fields[1].startswith(_DISPLAY) and fields[4]),
            controllers=tuple(self._controllers(place)),
            features=tuple(self._raid(place)),
            uuid=identifier(dmi.get("product_uuid", "")),
            arch=self.one("arch"),
            kernel=self.one("kernel"),
            path=self._name,
        )

    def _disk(self, disk: LiveDisk, drivers: dict[str, str]) -> DiskDevice:
        # The last one is the controller; those before it are bridges.
        slots = [part for part in disk.place.split("/") if _PCI.fullmatch(part)]
        driver = drivers.get(slots[-1], "") if slots else ""
        return DiskDevice(f"/dev/{disk.name}", _bus(disk.place), driver, "raw", disk.name, capacity=disk.size, where=WholeFile(self._name))

    def _controllers(self, place: WholeFile) -> Iterator[ControllerDevice]:
        for address, kind, _vendor, _device, driver in (fields[:5] for fields in self.every("pci", 5)):
            if kind.startswith(_STORAGE):
                yield ControllerDevice("raid" if kind.startswith(_RAID) else "scsi", driver, address, place)

    def _raid(self, place: WholeFile) -> Iterator[Feature]:
        for _address, kind, _vendor, _device, driver in (fields[:5] for fields in self.every("pci", 5)):
            if kind.startswith(_RAID):
                yield Feature("raid-controller", driver or "without a driver", place)


def _bus(place: str) -> str:
    for mark, bus in (("/nvme", "nvme"), ("/virtio", "virtio"), ("/usb", "usb"), ("/ata", "sata"), ("/mmc", "mmc"), ("/vbd-", "xen")):
        if mark in place:
            return bus
    return "scsi"
