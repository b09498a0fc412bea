"""``vsphere://user@vcenter/DATACENTER/vm/FOLDER/NAME``, with patterns: machines of a vCenter or an ESXi host, through pyVmomi.

The parent logs in and reads the inventory; the child gets the machine as JSON, and ranges of the disks from the datastores. Nothing is
changed on the server.
"""

from __future__ import annotations

import atexit
import contextlib
import fnmatch
import importlib.util
import json
import os
import posixpath
import ssl
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import parse_qs, unquote, urlsplit

from v2vlint.files.patience import PATIENCE, within
from v2vlint.files.schemes.datastore import Session, register, url_of
from v2vlint.files.urls import has_password, shown
from v2vlint.model.codec import parse
from v2vlint.model.definition import ControllerDevice, Definition, DiskDevice, Feature, NicDevice
from v2vlint.model.errors import ImageError
from v2vlint.model.place import WholeFile
from v2vlint.model.plain import JsonObject
from v2vlint.model.source import DiskFile, GuestRef, GuestSource
from v2vlint.source.door import Door
from v2vlint.source.values import identifier, mac_address

INSTEAD = "a machine of vSphere is not written to: convert it, and fix the copy"
_WANTED = ("name", "parent", "config", "runtime.powerState", "snapshot")
_DEPTH = 64
TIMEOUT = 25
"""Seconds for a connection, and for an answer of the inventory."""
PASSWORD, PASSWORD_FILE = "V2VLINT_VSPHERE_PASSWORD", "V2VLINT_VSPHERE_PASSWORD_FILE"
_HINT = f"the password is taken from ${PASSWORD}, the file ${PASSWORD_FILE}, ~/.netrc or keyring; the authority from $SSL_CERT_FILE"
_CONTROLLERS = {
    "ParaVirtualSCSIController": ("scsi", "pvscsi"), "VirtualLsiLogicController": ("scsi", "lsilogic"),
    "VirtualLsiLogicSASController": ("scsi", "lsisas1068"), "VirtualBusLogicController": ("scsi", "buslogic"),
    "VirtualIDEController": ("ide", ""), "VirtualAHCIController": ("sata", "ahci"), "VirtualNVMEController": ("nvme", ""),
}  # fmt: skip
_CARDS = {"VirtualVmxnet3": "vmxnet3", "VirtualVmxnet2": "vmxnet2", "VirtualVmxnet": "vmxnet", "VirtualE1000": "e1000",
          "VirtualE1000e": "e1000e", "VirtualPCNet32": "vlance", "VirtualSriovEthernetCard": "sriov"}  # fmt: skip


class _Disk(TypedDict):
    path: str
    bus: str
    model: str
    target: str
    mode: str
    raw: bool
    shared: bool
    capacity: int
    sparse: bool


class _Card(TypedDict):
    mac: str
    model: str
    network: str
    fixed: bool


class _Machine(TypedDict):
    """What the child makes a definition from. ``urls`` has one for each of ``disks``, empty for one without a file; ``memory`` is MiB."""

    name: str
    firmware: str
    guest: str
    uuid: str
    secure_boot: bool
    memory: int
    cpus: int
    version: str
    cbt: bool
    tpm: bool
    snapshots: list[str]
    disks: list[_Disk]
    nics: list[_Card]
    controllers: list[tuple[str, str, str]]
    passthrough: list[str]
    urls: list[str]


def _find(argument: str, _connect: str) -> Iterator[GuestRef]:
    name = shown(argument)
    try:
        if importlib.util.find_spec("pyVmomi") is None:
            raise ImageError(f"{name}: pyVmomi is not installed", hint="pip install 'v2vlint[vsphere]'")
        if has_password(argument):
            raise ImageError(f"{name}: a password in a URL is seen by everybody on this host", hint=_HINT)
        inventory = _Inventory(argument)
        found = list(inventory.machines())
        inventory.hang_up()
    except ImageError as error:
        yield GuestRef(name, "vsphere", (), problem=error.message, hint=error.hint, unwritable=INSTEAD)
        return
    yield from found or [GuestRef(name, "vsphere", (), problem=f"{name}: no machine matches", unwritable=INSTEAD)]


def _secret(host: str, user: str) -> str:
    """The password. ImageError says where it is looked for."""
    if PASSWORD in os.environ:
        return os.environ[PASSWORD]
    if place := os.environ.get(PASSWORD_FILE):
        try:
            return Path(place).read_text("utf-8").rstrip("\n")
        except OSError as error:
            raise ImageError(f"{place}: {os.strerror(error.errno or 0).lower()}") from error
    import netrc

    try:
        known = netrc.netrc().authenticators(host)
    except (OSError, netrc.NetrcParseError):
        known = None
    if known:
        return known[2]
    if importlib.util.find_spec("keyring"):
        import keyring

        if stored := keyring.get_password(f"vsphere://{host}", user):
            return str(stored)
    raise ImageError(f"vsphere://{host}: there is no password for {user or 'anybody'}", hint=_HINT)


class _Inventory:
    """A login, and the machines that match a path."""

    def __init__(self, argument: str) -> None:
        parts = urlsplit(argument)
        self._host, self._server = parts.hostname or "", parts.netloc.rpartition("@")[2]
        self._pattern = unquote(parts.path).strip("/") or "*"
        thumbprint = parse_qs(parts.query).get("thumbprint", [""])[0].replace(":", "").lower()
        user = unquote(parts.username or "")
        context = _Pinned.of(thumbprint) if thumbprint else ssl.create_default_context()
        from pyVim.connect import SmartConnect

        try:
            secret = _secret(self._host, user)
            connect = partial(SmartConnect, host=self._host, port=parts.port or 443, user=user, pwd=secret, sslContext=context)
            self._service: Any = within(f"vsphere://{self._server}", partial(connect, httpConnectionTimeout=TIMEOUT), PATIENCE)
        except ImageError:
            raise
        except _OtherCertificateError as error:
            raise ImageError(f"vsphere://{self._host}: {error}", hint="ask who runs it; do not go on") from error
        except Exception as error:
            words = getattr(error, "msg", "") or str(error)
            raise ImageError(f"vsphere://{self._server}: {words.splitlines()[0][:300]}", hint=_HINT) from error
        atexit.register(_leave, self._service)
        # Without its attributes (Path, HttpOnly), as it is sent back.
        cookie = str(self._service._stub.cookie).partition(";")[0]
        register(self._server, Session(cookie, context, thumbprint))

    def hang_up(self) -> None:
        """Close the connections; the session stays open for the files of the datastores, until the process ends."""
        self._service._stub.DropConnections()

    def machines(self) -> Iterator[GuestRef]:
        """References to the machines whose inventory path matches, in order."""
        from pyVmomi import vim

        every = self._properties({vim.VirtualMachine: _WANTED, vim.Folder: ("name", "parent"), vim.Datacenter: ("name", "parent")})
        named = {key: found for key, (_kind, found) in every.items()}
        paths = {key: _path_of(key, named) for key, (kind, _found) in every.items() if kind is vim.VirtualMachine}
        for key, path in sorted(paths.items(), key=lambda item: (item[1], item[0])):
            if fnmatch.fnmatchcase(path, self._pattern):
                yield self._reference(path, named[key])

    def _properties(self, wanted: dict[Any, tuple[str, ...]]) -> dict[str, tuple[Any, JsonObject]]:
        """The properties of all objects of these kinds, by identifier, in pages of some hundred."""
        from pyVmomi import vim, vmodl

        content, query = self._service.RetrieveContent(), vmodl.query.PropertyCollector
        view = content.viewManager.CreateContainerView(content.rootFolder, list(wanted), True)
        walk = query.TraversalSpec(name="view", path="view", skip=False, type=vim.view.ContainerView)
        properties = [query.PropertySpec(type=kind, pathSet=list(names)) for kind, names in wanted.items()]
        # skip: the view itself is only the way to the objects.
        spec = query.FilterSpec(objectSet=[query.ObjectSpec(obj=view, skip=True, selectSet=[walk])], propSet=properties)
        found: dict[str, tuple[Any, JsonObject]] = {}
        page = content.propertyCollector.RetrievePropertiesEx([spec], query.RetrieveOptions(maxObjects=200))
        while page is not None:
            for one in page.objects:
                found[one.obj._moId] = (type(one.obj), {value.name: value.val for value in one.propSet})
            page = content.propertyCollector.ContinueRetrievePropertiesEx(page.token) if page.token else None
        view.Destroy()
        return found

    def _reference(self, path: str, machine: JsonObject) -> GuestRef:
        name = f"vsphere://{self._server}/{path}"
        if machine.get("config") is None:
            return GuestRef(name, "vsphere", (), problem=f"{name}: its host is not connected", unwritable=INSTEAD)
        power = str(machine.get("runtime.powerState", "")).removeprefix("powered").lower()
        running = power != "off"
        urls, frozen = list[str](), True
        for device in machine["config"].hardware.device:
            if _kind(device) == "VirtualDisk":
                file, is_frozen = _file_of(device.backing, running=running)
                frozen = frozen and is_frozen
                urls.append(self._url(path, file) if file else "")
        # Nobody writes below the last snapshot: such disks are those of a machine that is off.
        state = {"on": "running", "off": ""}.get(power, power) if not frozen else ""
        return GuestRef(name, "vsphere", (), json.dumps(_facts(machine, urls)), state, named=tuple(filter(None, urls)), unwritable=INSTEAD)

    def _url(self, path: str, file: str) -> str:
        """The URL of ``[datastore] folder/file.vmdk``."""
        store, _, inside = file.removeprefix("[").partition("] ")
        return url_of(self._server, path.partition("/vm/")[0], store, inside)


def _leave(service: Any) -> None:
    """Log out: a vCenter limits the number of sessions."""
    from pyVim.connect import Disconnect

    with contextlib.suppress(Exception):
        Disconnect(service)


class _OtherCertificateError(ssl.SSLCertVerificationError):
    """The other side is not who was pinned."""

    def __str__(self) -> str:
        return "its certificate has another thumbprint"


class _Pinned(ssl.SSLContext):
    """Accepts one certificate only. Every connection is checked: pyVmomi's own ``thumbprint`` checks none after the first."""

    thumbprint = ""

    @classmethod
    def of(cls, thumbprint: str) -> _Pinned:
        """The context for the certificate with this SHA-1 or SHA-256 digest, in lower-case hexadecimal digits."""
        made = cls(ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname, made.verify_mode, made.thumbprint = False, ssl.CERT_NONE, thumbprint
        return made

    def wrap_socket(self, *arguments: Any, **named: Any) -> ssl.SSLSocket:
        """As the base class; ssl.SSLCertVerificationError when the other side has another certificate."""
        import hashlib

        wrapped = super().wrap_socket(*arguments, **named)
        certificate = wrapped.getpeercert(binary_form=True) or b""
        if self.thumbprint not in (hashlib.sha1(certificate, usedforsecurity=False).hexdigest(), hashlib.sha256(certificate).hexdigest()):
            wrapped.close()
            raise _OtherCertificateError
        return wrapped


def _path_of(key: str, named: Mapping[str, JsonObject]) -> str:
    """The inventory path: ``DC0/vm/folder/name``."""
    names: list[str] = []
    while key in named and len(names) < _DEPTH:
        # vSphere writes %, / and \ in names as %25, %2f and %5c.
        names.append(unquote(str(named[key].get("name", ""))))
        above = named[key].get("parent")
        key = above._moId if above is not None else ""
    return "/".join(reversed(names))


def _file_of(backing: Any, *, running: bool) -> tuple[str, bool]:
    """The file of a disk; for a running machine the one below the last snapshot, if there is one, because nobody writes to that."""
    parent = getattr(backing, "parent", None)
    if running and parent is not None:
        return str(parent.fileName or ""), True
    return str(getattr(backing, "fileName", "") or ""), False


def _facts(machine: JsonObject, urls: list[str]) -> _Machine:
    config, hardware = machine["config"], machine["config"].hardware
    devices = list(hardware.device)
    by_key = {device.key: device for device in devices}
    boot = config.bootOptions
    return {
        "name": config.name, "firmware": config.firmware or "bios", "guest": config.guestId or "", "uuid": config.uuid or "",
        "secure_boot": bool(boot and boot.efiSecureBootEnabled), "memory": hardware.memoryMB or 0, "cpus": hardware.numCPU or 0,
        "version": config.version or "", "cbt": bool(config.changeTrackingEnabled),
        "tpm": any(_kind(device) == "VirtualTPM" for device in devices), "snapshots": _snapshots(machine),
        "disks": [_disk(device, by_key) for device in devices if _kind(device) == "VirtualDisk"],
        "nics": [_card(device) for device in devices if _kind(device) in _CARDS],
        "controllers": [(*_CONTROLLERS[_kind(device)], device.deviceInfo.label) for device in devices if _kind(device) in _CONTROLLERS],
        "urls": urls,
        "passthrough": [device.deviceInfo.label for device in devices if _kind(device) == "VirtualPCIPassthrough"],
    }  # fmt: skip


def _kind(device: Any) -> str:
    return type(device).__name__.rpartition(".")[2]


def _disk(device: Any, by_key: dict[int, Any]) -> _Disk:
    bus, model = _CONTROLLERS.get(_kind(by_key.get(device.controllerKey)), ("", ""))
    kind, sharing = _kind(device.backing), str(getattr(device.backing, "sharing", "") or "")
    return {
        "path": str(getattr(device.backing, "fileName", "") or ""), "bus": bus, "model": model, "target": device.deviceInfo.label,
        "mode": str(getattr(device.backing, "diskMode", "") or ""), "raw": "RawDisk" in kind, "shared": sharing == "sharingMultiWriter",
        "capacity": (device.capacityInKB or 0) << 10, "sparse": "SeSparse" in kind,
    }  # fmt: skip


def _card(device: Any) -> _Card:
    network = getattr(device.backing, "deviceName", "") or getattr(getattr(device.backing, "port", None), "portgroupKey", "") or ""
    return {
        "mac": device.macAddress or "",
        "model": _CARDS[_kind(device)],
        "network": str(network),
        "fixed": device.addressType == "manual",
    }


def _snapshots(machine: JsonObject) -> list[str]:
    state = machine.get("snapshot")
    found, waiting = [], list(state.rootSnapshotList) if state else []
    while waiting:
        one = waiting.pop(0)
        found.append(one.name)
        waiting += one.childSnapshotList
    return found


def _locate(ref: GuestRef) -> GuestSource:
    told: _Machine = parse(ref.text.encode())
    definition = _definition(ref, told)
    remarks = [f"disk {disk['path'] or disk['target']} is a raw device of the storage: not read" for disk in told["disks"] if disk["raw"]]
    pairs = [(url, disk) for url, disk in zip(told["urls"], told["disks"], strict=True) if url and not disk["raw"]]
    return GuestSource(ref.name, tuple(DiskFile(url, disk["path"]) for url, disk in pairs), definition, tuple(remarks))


def _definition(ref: GuestRef, told: _Machine) -> Definition:
    """The machine; ``vmx`` are the values that a VMX file would have."""
    place = WholeFile(ref.name)
    independent = ("independent_persistent", "independent_nonpersistent")
    features = [Feature("change-tracking", "true", place)] if told["cbt"] else []
    return Definition(
        source="vsphere",
        where=ref.name,
        name=told["name"],
        firmware="uefi" if told["firmware"] == "efi" else "bios",
        disks=tuple(
            DiskDevice(disk["path"], disk["bus"], disk["model"], "vmdk", disk["target"], disk["shared"],
                       disk["mode"].replace("_", "-") if disk["mode"] in independent else "", "rawDisk" if disk["raw"] else "",
                       disk["capacity"] or -1, where=place)
            for disk in told["disks"]
        ),
        nics=tuple(
            NicDevice(mac_address(one["mac"]), one["model"], one["network"], fixed=one["fixed"], where=place) for one in told["nics"]
        ),
        secure_boot=told["secure_boot"],
        tpm=told["tpm"],
        memory_mib=told["memory"],
        cpus=told["cpus"],
        os_hint=told["guest"],
        machine=told["version"],
        passthrough=tuple(Feature("pci", name, place) for name in told["passthrough"]),
        snapshots=tuple(Feature("snapshot", name, place) for name in told["snapshots"]),
        features=tuple(features),
        product="vmware",
        uuid=identifier(told["uuid"]),
        controllers=tuple(ControllerDevice(bus, model, target, place) for bus, model, target in told["controllers"]),
        running=ref.state,
        path=posixpath.basename(ref.name),
    )  # fmt: skip


DOORS = (Door("vsphere", "a machine of vSphere", ("vsphere://",), _find, _locate),)
