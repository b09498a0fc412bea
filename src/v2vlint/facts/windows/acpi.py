"""The hardware abstraction layer (HAL) of Windows XP and 2003, and the driver of the processor container.

Before Windows Vista, setup chooses one of six HALs and records it as the hardware ID of the device ``Enum\\Root\\ACPI_HAL\\0000`` (or
``Enum\\Root\\PCI_HAL\\0000`` without ACPI). ``ACPI0010`` is the ACPI specification's ID of the processor container; one version of
``hidinterrupt.inf`` claims it by mistake instead of ``ACPI0011``, the generic button.
"""

from __future__ import annotations

from v2vlint.facts.registry import provides
from v2vlint.facts.windows.registry import Registry, RegistryNode, subkeys
from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import RegistryDeleteKey
from v2vlint.model.place import RegistryKey

CONTAINER = "ACPI0010"
BUTTON = "hidinterrupt"
_IDS = f"DriverDatabase\\DeviceIds\\ACPI\\{CONTAINER}"
_PACKAGES = "DriverDatabase\\DriverPackages"


@dataclass(frozen=True, slots=True)
class WindowsHal:
    """The HAL by its hardware ID in lower case (``acpiapic_mp``); ``title`` is its name in Device Manager."""

    name: str
    where: RegistryKey

    @property
    def title(self) -> str:
        """Its display name; the hardware ID when it is not one of Microsoft's."""
        return _TITLES.get(self.name, self.name)

    @property
    def acpi(self) -> bool:
        """Whether it uses ACPI."""
        return self.name.startswith("acpi")

    @property
    def uniprocessor(self) -> bool:
        """Whether it uses only one processor."""
        return self.name.endswith("_up")


_TITLES = {
    "e_isa_up": "Standard PC",
    "mps_up": "MPS Uniprocessor PC",
    "mps_mp": "MPS Multiprocessor PC",
    "syspro_mp": "Compaq SystemPro",
    "acpipic_up": "Advanced Configuration and Power Interface (ACPI) PC",
    "acpiapic_up": "ACPI Uniprocessor PC",
    "acpiapic_mp": "ACPI Multiprocessor PC",
}


@dataclass(frozen=True, slots=True)
class ButtonBinding:
    """The place where the driver database binds the processor container to the button driver.

    ``seen`` says that a device of this guest already has that driver. ``removal`` are the keys to delete to undo the binding, empty when
    they contain anything else.
    """

    where: RegistryKey
    seen: bool
    removal: tuple[RegistryDeleteKey, ...]


@dataclass(frozen=True, slots=True)
class WindowsAcpi:
    """``hal`` is None when the registry does not name one; ``button`` is None when the container has no wrong driver."""

    hal: WindowsHal | None
    button: ButtonBinding | None


@provides
def parse_acpi(registry: Registry) -> WindowsAcpi:
    """Read both; None for what is absent."""
    return WindowsAcpi(_hal(registry), _button(registry))


def _hal(registry: Registry) -> WindowsHal | None:
    for device in ("ACPI_HAL", "PCI_HAL"):
        key = registry.control(f"Enum\\Root\\{device}\\0000")
        value = key.value("HardwareID") if key else None
        if value is not None and value.texts:
            return WindowsHal(value.texts[0].lower(), value.where)
    return None


def _button(registry: Registry) -> ButtonBinding | None:
    ids = registry.system.key(_IDS)
    value = ids.value(f"{BUTTON}.inf") if ids else None
    if ids is None or value is None:
        return None
    packages = (one for one in subkeys(registry.system.key(_PACKAGES)) if one.name.lower().startswith(f"{BUTTON}.inf_"))
    described = (one.key(f"Descriptors\\ACPI\\{CONTAINER}") for one in packages)
    doomed = [ids, *(one for one in described if one is not None)]
    whole = len(ids.values()) == 1 and not any(one.keys() for one in doomed)
    devices = subkeys(registry.control(f"Enum\\ACPI\\{CONTAINER}"))
    seen = any(one.text("Service").lower() == BUTTON for one in devices)
    return ButtonBinding(value.where, seen, tuple(map(_deletion, doomed)) if whole else ())


def _deletion(key: RegistryNode) -> RegistryDeleteKey:
    return RegistryDeleteKey(key.path, key.key_path, tuple((value.name, value.raw) for value in key.values()))
