"""The installed kernels with their drivers, and the drivers the guest is configured to use."""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.facts.boot.choices import BootChoice, BootChoices
from v2vlint.facts.environment.xorg import Xorg
from v2vlint.facts.initramfs.images import Initramfses
from v2vlint.facts.kernel.kernels import Kernel, Kernels, Presence
from v2vlint.facts.kernel.modprobe import Modprobe
from v2vlint.facts.registry import FactStore
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.small import small
from v2vlint.guest.text import split_lines
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.machine import Driver, DriverInUse, InstalledKernel

CAPABILITIES = {
    "virtio-pci": "virtio_pci", "virtio-blk": "virtio_blk", "virtio-scsi": "virtio_scsi", "virtio-net": "virtio_net",
    "virtio-rng": "virtio_rng", "virtio-balloon": "virtio_balloon", "virtio-gpu": "virtio_gpu", "virtio-fs": "virtiofs",
    "vsock": "vmw_vsock_virtio_transport", "nvme": "nvme", "ahci": "ahci", "ata-piix": "ata_piix", "e1000": "e1000", "e1000e": "e1000e",
    "xen-storage": "xen_blkfront", "xen-network": "xen_netfront", "hyperv-storage": "hv_storvsc", "hyperv-network": "hv_netvsc",
    "vmware-storage": "vmw_pvscsi", "vmware-network": "vmxnet3", "lsi-logic": "mptspi", "lsi-sas": "mptsas",
    "ena": "ena", "gve": "gve", "mana": "mana",
}  # fmt: skip
"""Capabilities of a kernel, each with the module that provides it."""

_STORAGE = frozenset({
    "virtio_blk", "virtio_scsi", "nvme", "ahci", "ata_piix", "ata_generic", "xen_blkfront", "hv_storvsc", "vmw_pvscsi", "mptspi", "mptsas",
    "mpt3sas", "megaraid_sas", "hpsa", "aacraid", "cciss", "sym53c8xx", "BusLogic", "pata_acpi", "mpt2sas", "smartpqi", "qla2xxx", "lpfc",
})  # fmt: skip
_NETWORK = frozenset({
    "virtio_net", "vmxnet3", "e1000", "e1000e", "igb", "ixgbe", "ixgbevf", "hv_netvsc", "xen_netfront", "ena", "gve", "mana", "8139cp",
    "8139too", "tg3", "bnx2", "bnx2x", "bnxt_en", "r8169", "i40e", "mlx5_core", "mlx4_core", "pcnet32", "be2net", "vmxnet",
})  # fmt: skip
# modprobe.conf of RHEL 5 and its age: drivers for the initrd, and one for each card.
_ALIAS = re.compile(r"scsi_hostadapter\d*|eth\d+")
_LISTS = ("/etc/modules", "/etc/modules-load.d/*.conf", "/etc/initramfs-tools/modules")
_PLATFORMS = (
    frozenset({"virtio_blk", "virtio_scsi"}),
    frozenset({"xen_blkfront"}),
    frozenset({"hv_storvsc"}),
    frozenset({"vmw_pvscsi", "mptspi", "mptsas"}),
    frozenset({"megaraid_sas", "hpsa", "aacraid", "mpt3sas", "smartpqi", "cciss"}),
)
MANY = 3


def installed(store: FactStore) -> tuple[InstalledKernel, ...]:
    """Every kernel, newest first. FactUnavailable when they cannot be known."""
    choices = _choices(store)
    return tuple(_installed(kernel, choices) for kernel in store.get(Kernels))


def _choices(store: FactStore) -> BootChoices:
    try:
        return store.get(BootChoices)
    except FactUnavailable:
        return BootChoices()


def _installed(kernel: Kernel, choices: BootChoices) -> InstalledKernel:
    mine = [choice for choice in (*choices.defaults, *choices.others) if _same(choice, kernel)]
    # The last one: microcode comes before it.
    initramfs = next((choice.initrds[-1] for choice in mine if choice.initrds), "")
    return InstalledKernel(
        version=kernel.version,
        image=kernel.image,
        modules=kernel.tree.folder,
        initramfs=initramfs,
        flavour=kernel.flavour,
        default=choices.default is not None and _same(choices.default, kernel),
        drivers=tuple(Driver(name, _state(kernel, module)) for name, module in CAPABILITIES.items()),
    )


def _same(choice: BootChoice, kernel: Kernel) -> bool:
    return choice.kernel is not None and (choice.kernel.version, choice.kernel.image) == (kernel.version, kernel.image)


def _state(kernel: Kernel, module: str) -> str:
    try:
        return kernel.has(module).value
    except FactUnavailable:
        return Presence.UNKNOWN.value


def in_use(store: FactStore) -> tuple[DriverInUse, ...]:
    """Drivers named in the configuration, and storage drivers of an initramfs built only for this hardware."""
    found: dict[tuple[str, str], DriverInUse] = {}
    for one in (*_aliases(store), *_lists(store.get(GuestFS)), *_host_only(store), *_display(store)):
        found.setdefault((one.name, one.role), one)
    return tuple(found.values())


def _aliases(store: FactStore) -> Iterator[DriverInUse]:
    try:
        commands = store.get(Modprobe).aliases(_ALIAS)
    except FactUnavailable:
        return
    for command in commands:
        role = "network" if command.words[0].value.startswith("eth") else "storage"
        yield DriverInUse(command.words[1].value, role, str(command.where))


def _lists(fs: GuestFS) -> Iterator[DriverInUse]:
    """Modules loaded at boot whether or not a device for them exists."""
    for path in (path for pattern in _LISTS for path in fs.glob(pattern)):
        for number, line in enumerate(split_lines(small(fs, path)), 1):
            words = line.split("#")[0].split()
            if words:
                # modprobe takes - and _ in a name for the same.
                yield DriverInUse(words[0], _role(words[0].replace("-", "_")), f"{path}:{number}")


def is_storage(module: str) -> bool:
    """Whether a module drives disks."""
    return module in _STORAGE


def is_network(module: str) -> bool:
    """Whether a module drives network cards."""
    return module in _NETWORK


def _role(module: str) -> str:
    return "storage" if is_storage(module) else "network" if is_network(module) else "other"


def _host_only(store: FactStore) -> Iterator[DriverInUse]:
    """The drivers of an initramfs built only for its own machine, i.e. with drivers for fewer than three kinds of hardware."""
    choice = _choices(store).default
    modules = _modules(store, choice) if choice else frozenset()
    storage = sorted(modules & _STORAGE)
    if choice and storage and sum(bool(modules & platform) for platform in _PLATFORMS) < MANY:
        place = choice.initrds[-1] if choice.initrds else choice.kernel_path
        yield from (DriverInUse(name, _role(name), place) for name in (*storage, *sorted(modules & _NETWORK)))


def _modules(store: FactStore, choice: BootChoice) -> frozenset[str]:
    try:
        image = store.get(Initramfses).joined(choice.initrds)
    except FactUnavailable:
        return frozenset()
    return frozenset(image.modules) if image else frozenset()


def _display(store: FactStore) -> Iterator[DriverInUse]:
    try:
        devices = store.get(Xorg).devices
    except FactUnavailable:
        return
    for device in devices:
        if device.driver is not None:
            yield DriverInUse(device.driver.value, "display", str(device.driver.where))
