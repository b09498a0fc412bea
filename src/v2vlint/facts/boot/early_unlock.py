"""What the initramfs of the default entry opens itself, before the guest's own crypttab is read."""

from __future__ import annotations

from v2vlint.facts.boot.cmdline import KernelArg
from v2vlint.facts.boot.start import DefaultBoot
from v2vlint.facts.initramfs.content import Initramfs
from v2vlint.facts.initramfs.early_conf import embedded_args
from v2vlint.facts.initramfs.early_crypttab import (
    EarlyMapping,
    KeyArgument,
    early_mappings,
    key_arguments,
    key_of_arguments,
    mappings_of_arguments,
)
from v2vlint.facts.registry import FactStore, provides
from v2vlint.facts.storage.devices import Devices
from v2vlint.model.blocks import BlockDevice
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable

_OTHERWISE = frozenset({"rd.luks.uuid", "rd_LUKS_UUID", "rd.luks.name", "luks.uuid", "luks.name"})
"""Arguments by which systemd and dracut open devices by UUID, whatever crypttab says."""


@dataclass(frozen=True, slots=True)
class EarlyUnlock:
    """The mappings in the image that is loaded; none when the image is unknown, or the mover rebuilds it.

    ``certain``: it is loaded by default, and no argument of the command line opens devices in another way.
    """

    mappings: tuple[EarlyMapping, ...] = ()
    image: Initramfs | None = None
    certain: bool = False
    args: tuple[KernelArg, ...] = ()

    def opens(self, name: str) -> bool:
        """Whether the initramfs sets up /dev/mapper/``name``."""
        return any(mapping.name == name for mapping in self.mappings)

    def mapping(self, layer: BlockDevice, devices: Devices) -> EarlyMapping | None:
        """The line of the image's tables that opens the LUKS device ``layer``."""
        return next((one for one in self.mappings if layer.name in _opened(one, devices)), None)

    def key(self, layer: BlockDevice, devices: Devices) -> str:
        """What in the image opens the LUKS device ``layer`` unattended, as text; empty when it asks for a passphrase."""
        if self.image is None:
            return ""
        mapping = self.mapping(layer, devices)
        return (mapping.key_in(self.image) if mapping else "") or key_of_arguments(self.image, keys_for(layer, self.args, devices))


def keys_for(layer: BlockDevice, args: tuple[KernelArg, ...], devices: Devices) -> tuple[KeyArgument, ...]:
    """The keys on a command line that may be meant for the LUKS device ``layer``."""
    below = [device for device in devices.blocks if device.name in layer.parents]
    return tuple(key for key in key_arguments(args) if not below or not key.container or _is_one_of(key.container, below, devices))


def _is_one_of(spec: str, containers: list[BlockDevice], devices: Devices) -> bool:
    """Whether ``spec`` may be one of ``containers``. dracut takes the beginning of a UUID (``udevmatch`` in dracut-lib.sh)."""
    if spec.startswith("UUID="):
        return any(_bare(device.uuid).startswith(_bare(spec.removeprefix("UUID="))) for device in containers)
    found = devices.resolve(spec)
    return found is None or found in containers


def _bare(uuid: str) -> str:
    return uuid.replace("-", "").lower()


def _opened(mapping: EarlyMapping, devices: Devices) -> tuple[str, ...]:
    """Names of the content of the device that ``mapping`` is made from."""
    container = devices.resolve(mapping.source)
    inside = (one.name for one in devices.blocks.children(container.name)) if container else ()
    return (f"luks-{mapping.source.removeprefix('UUID=')}", *inside)


@dataclass(frozen=True, slots=True)
class EarlyImage:
    """The initramfs that is loaded; None when it is unknown, or the mover rebuilds it.

    ``certain``: it is loaded by default. ``args`` is the command line that comes with it.
    """

    image: Initramfs | None = None
    certain: bool = False
    args: tuple[KernelArg, ...] = ()


@provides
def find_early_image(store: FactStore) -> EarlyImage:
    """Never unknown: who asks must not become so because of a boot menu."""
    try:
        boot = store.get(DefaultBoot)
        path = boot.path
    except FactUnavailable:
        return EarlyImage()
    if path is None or path.image is None or path.rebuilt is not None or path.image.damage:
        return EarlyImage()
    return EarlyImage(path.image, not boot.assumed, tuple(path.choice.args))


@provides
def find_early_unlock(early: EarlyImage) -> EarlyUnlock:
    """What its tables say."""
    if early.image is None:
        return EarlyUnlock()
    args = (*embedded_args(early.image), *early.args)
    otherwise = any(argument.name in _OTHERWISE for argument in args)
    told = mappings_of_arguments(early.image, args) if early.image.generator == "initramfs-tools" else ()
    return EarlyUnlock(told or early_mappings(early.image), early.image, early.certain and not otherwise, args)
