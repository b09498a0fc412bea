r"""Gives a Windows guest its virtio boot driver from a virtio-win ISO or directory, with the registry keys that virt-v2v writes.

The files and their places follow libguestfs-common ``mlcustomize/inject_virtio_win.ml``: every driver file on the medium for this Windows
goes into ``Drivers\VirtIO`` (which is then added to ``DevicePath``, so that Plug and Play finds the other drivers), and the boot driver
into ``System32\drivers`` with its service and the binding of its PCI IDs, which is in ``DriverDatabase`` if there is one (Windows 8 and
later), else in ``CriticalDeviceDatabase``.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from v2vlint.disk.hives.edit import HiveDraft
from v2vlint.fixing.windows import open_hive
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.digits import decimal
from v2vlint.model.errors import FactUnavailable, ImageError, UsageError
from v2vlint.model.fix import Applicability, Edit, Fix, RegistryDeleteKey, RegistrySet, WriteData
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import WholeFile
from v2vlint.model.registry import CURRENT, RegistryData, binary, dword, expand_sz, multi_sz, sz

RULE = "windows-no-boot-driver"
"""The rule whose findings these fixes answer."""
PCI_IDS: Mapping[str, tuple[str, ...]] = {
    "viostor": ("VEN_1AF4&DEV_1001&REV_00", "VEN_1AF4&DEV_1042&REV_01"),
    "vioscsi": ("VEN_1AF4&DEV_1004&REV_00", "VEN_1AF4&DEV_1048&REV_01"),
}
"""The transitional and the modern device that each boot driver of virtio-win drives."""
MAX_FILES = 100_000
MAX_SIZE = 12 << 20
"""Bytes of drivers for one Windows: they travel with the fix, in a report that may hold it once per target."""
_SCSI_CLASS = "{4D36E97B-E325-11CE-BFC1-08002BE10318}"
# Version of a driver package: a fixed head, the class GUID as bytes, the rest zero.
_VERSION = bytes.fromhex("00ff0900000000007be9364d25e3ce11bfc108002be10318") + bytes(24)
_INF, _CONFIGURATION = "guestor.inf", "guestor_conf"
_ARCHITECTURES = {"x86_64": ("amd64",), "i386": ("x86", "i386")}
_NAMES = {
    (5, 1): ("xp", ""), (5, 2): ("xp", "2k3"), (6, 0): ("2k8", "2k8"), (6, 1): ("w7", "2k8r2"), (6, 2): ("w8", "2k12"),
    (6, 3): ("w8.1", "2k12r2"),
}  # fmt: skip
_SERVERS = (("2025", "2k25"), ("2022", "2k22"), ("2019", "2k19"))
_DEVICE_PATH_KEY, _DEVICE_PATH = "Microsoft\\Windows\\CurrentVersion", "%SystemRoot%\\Drivers\\VirtIO"


@dataclass(frozen=True, slots=True)
class VirtioWinMedium:
    """A virtio-win ISO or directory. Opening raises UsageError when it is neither."""

    path: str

    def drivers(self, system: OsInfo) -> dict[str, bytes]:
        """Lower-case name and content of each driver file for ``system``; FactUnavailable when the medium has none for it."""
        folder, architectures = folder_name(system), _ARCHITECTURES.get(system.arch, ())
        files = self._tree()
        found: dict[str, bytes] = {}
        for path in files.walk("/"):
            *folders, name = path.lower().strip("/").split("/")
            if folder in folders and set(folders) & set(architectures) and _wanted(folders, name) and name not in found:
                found[name] = files.read(path, MAX_SIZE) or b""
            if sum(map(len, found.values())) > MAX_SIZE:
                raise FactUnavailable(WholeFile(self.path), f"holds more than {MAX_SIZE >> 20} MiB of drivers for {system.name}")
        if not found:
            raise FactUnavailable(WholeFile(self.path), f"has no drivers for {system.name} (a folder {folder}/{system.arch})")
        # Both are for the fw_cfg device: qemufwcfg only gives it a name, fwcfg drives it.
        stub = [name for name in found if name.startswith("qemufwcfg.")] if "fwcfg.inf" in found else []
        return {name: content for name, content in sorted(found.items()) if name not in stub}

    def _tree(self) -> GuestFS | _Folder:
        if Path(self.path).is_dir():
            return _Folder(self.path)
        from v2vlint.disk.filesystems.iso import IsoFileSystem
        from v2vlint.disk.stream import HostFile

        try:
            return GuestFS({"/": IsoFileSystem(HostFile(self.path))})
        except MemoryError:
            raise
        except Exception as error:
            words = error.message if isinstance(error, ImageError) else f"{self.path}: not an ISO 9660 image"
            raise UsageError(words, hint="--virtio-win takes virtio-win.iso or a directory with its content") from error


@dataclass(frozen=True, slots=True)
class _Folder:
    """A host directory named by the user, with the two methods of a GuestFS that are used."""

    top: str

    def walk(self, _top: str) -> Iterator[str]:
        seen = 0
        for folder, folders, names in os.walk(self.top):
            folders.sort()
            for name in sorted(names):
                seen += 1
                yield str((Path(folder) / name).relative_to(self.top))
            if seen > MAX_FILES:
                raise FactUnavailable(WholeFile(self.top), f"more than {MAX_FILES} files")

    def read(self, path: str, limit: int) -> bytes | None:
        file = Path(self.top) / path
        try:
            if not file.is_file() or file.stat().st_size > limit:
                raise FactUnavailable(WholeFile(str(file)), f"not a file of at most {limit >> 20} MiB")
            return file.read_bytes()
        except OSError as error:
            raise UsageError(f"{file}: {os.strerror(error.errno or 0).lower()}") from error


def _wanted(folders: list[str], name: str) -> bool:
    """Whether a file is needed: debugging symbols are not, nor the SR-IOV variant, whose files collide with those of the network driver."""
    return "sriov" not in folders and not name.startswith("vioprot.") and not name.endswith(".pdb")


def folder_name(system: OsInfo) -> str:
    """virtio-win's name for this version of Windows: ``w10``, ``2k19``…; FactUnavailable when it has none."""
    numbers = [decimal(number) for number in re.findall(r"[0-9]+", system.version)[:3]]
    major, minor, build = (*numbers, 0, 0, 0)[:3]
    server = "server" in system.name.lower()
    if major == 10:
        named = next((folder for year, folder in _SERVERS if year in system.name), "2k16")
        # Windows 11 calls itself 10.0 as well: the build tells.
        return named if server else "w11" if build >= 22000 else "w10"
    # 5.2 is Server 2003, and XP for x64.
    server = "XP" not in system.name if (major, minor) == (5, 2) else server
    folder = _NAMES.get((major, minor), ("", ""))[server]
    if not folder:
        raise FactUnavailable(
            WholeFile(f"{system.system_root}/System32/config/SOFTWARE"), f"virtio-win has no drivers for Windows {system.version}"
        )
    return folder


def virtio_win_fix(fs: GuestFS, system: OsInfo, medium: VirtioWinMedium, driver: str) -> Fix:
    """The fix that makes ``driver`` (``viostor`` or ``vioscsi``) start at boot, without the parts that are already in place.

    FactUnavailable when the medium or the guest does not allow it.
    """
    if driver not in PCI_IDS:
        raise FactUnavailable(WholeFile(medium.path), f"virtio-win has no boot driver {driver}")
    files, root = medium.drivers(system), system.system_root
    if f"{driver}.sys" not in files:
        raise FactUnavailable(WholeFile(medium.path), f"has no {driver}.sys for {system.name}")
    targets = {f"{root}/Drivers/VirtIO/{name}": content for name, content in files.items()}
    targets[f"{root}/System32/drivers/{driver}.sys"] = files[f"{driver}.sys"]
    edits: list[Edit] = [edit for path, content in targets.items() for edit in _file(fs, path, content)]
    try:
        edits += _system(_hive(fs, f"{root}/System32/config/SYSTEM"), driver, "amd64" if system.arch == "x86_64" else "x86")
        edits += _software(_hive(fs, f"{root}/System32/config/SOFTWARE"))
    except ImageError as error:
        raise FactUnavailable(WholeFile(f"{root}/System32/config"), error.message) from error
    return Fix(f"install {driver} from virtio-win", Applicability.UNSAFE, tuple(edits))


def _file(fs: GuestFS, path: str, content: bytes) -> Iterator[Edit]:
    before = fs.read(path)
    if before != content:
        yield WriteData(path, content, "" if before is None else hashlib.sha256(before).hexdigest())


@dataclass(frozen=True, slots=True)
class _Hive:
    path: str
    draft: HiveDraft

    def set(self, key: str, **values: RegistryData) -> Iterator[Edit]:
        """Edits for the values that differ; ``_`` stands for the default value."""
        for name, value in values.items():
            yield from self.put(key, "" if name == "_" else name, value)

    def put(self, key: str, name: str, value: RegistryData) -> Iterator[Edit]:
        before = self.draft.value(self.draft.resolve(key), name)
        if before != value:
            yield RegistrySet(self.path, self.draft.resolve(key), name, value, before)


def _hive(fs: GuestFS, path: str) -> _Hive:
    return _Hive(path, open_hive(fs, path))


def _system(hive: _Hive, driver: str, architecture: str) -> Iterator[Edit]:
    service = f"{CURRENT}\\Services\\{driver}"
    image = expand_sz(f"system32\\drivers\\{driver}.sys")
    yield from hive.set(service, Type=dword(1), Start=dword(0), Group=sz("SCSI miniport"), ErrorControl=dword(1), ImagePath=image)
    override = hive.draft.resolve(f"{service}\\StartOverride")
    # Since Windows 8, StartOverride is stronger than Start.
    if values := hive.draft.values(override):
        yield RegistryDeleteKey(hive.path, override, tuple(sorted(values.items())))
    bind = _critical_device if hive.draft.values("DriverDatabase") is None else _driver_database
    yield from bind(hive, driver, architecture)


# cdb_regedits of inject_virtio_win.ml.
def _critical_device(hive: _Hive, driver: str, _architecture: str) -> Iterator[Edit]:
    for device in PCI_IDS[driver]:
        yield from hive.set(f"{CURRENT}\\Control\\CriticalDeviceDatabase\\PCI#{device}", Service=sz(driver), ClassGUID=sz(_SCSI_CLASS))


# ddb_regedits of inject_virtio_win.ml.
def _driver_database(hive: _Hive, driver: str, architecture: str) -> Iterator[Edit]:
    label = f"{_INF}_{architecture}_0000000000000000"
    package = f"DriverDatabase\\DriverPackages\\{label}"
    configuration = f"{package}\\Configurations\\{_CONFIGURATION}"
    other = hive.draft.value(configuration, "Service")
    if other not in (None, sz(driver)):
        raise FactUnavailable(WholeFile(hive.path), f"{_INF} binds {other} already: there can be one such boot driver")
    active, names = sz(label), {"_": multi_sz([label]), "Configurations": multi_sz([_CONFIGURATION])}
    yield from hive.set(f"DriverDatabase\\DriverInfFiles\\{_INF}", Active=active, **names)
    yield from hive.set(package, Version=binary(_VERSION))
    yield from hive.set(configuration, ConfigFlags=dword(0), Service=sz(driver))
    for device in PCI_IDS[driver]:
        yield from hive.put(f"DriverDatabase\\DeviceIds\\PCI\\{device}", _INF, binary(b"\x01\xff\0\0"))
        yield from hive.set(f"{package}\\Descriptors\\PCI\\{device}", Configuration=sz(_CONFIGURATION))


def _software(hive: _Hive) -> Iterator[Edit]:
    before = hive.draft.value(_DEVICE_PATH_KEY, "DevicePath")
    text = before.text if before else "%SystemRoot%\\inf"
    if _DEVICE_PATH.lower() not in (part.strip().lower() for part in text.split(";")):
        after = expand_sz(f"{text};{_DEVICE_PATH}")
        yield from hive.put(_DEVICE_PATH_KEY, "DevicePath", replace(after, type=before.type) if before else after)
