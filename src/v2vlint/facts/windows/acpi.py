"""How Windows drives the machine itself: the hardware abstraction layer (HAL) of XP and 2003, and the driver of the processor container.

Up to Windows Vista, setup chooses one of six HALs and notes it as the hardware ID of the device ``Enum\\Root\\ACPI_HAL\\0000`` (for those
without ACPI ``Enum\\Root\\PCI_HAL\\0000``). ``ACPI0010`` is the ID that the ACPI specification gives to the container of the processors; an
edition of ``hidinterrupt.inf`` claims it by mistake for ``ACPI0011``, the generic button.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2vlint.facts.registry import provides
from v2vlint.facts.windows.registry import Registry, RegistryNode, subkeys
from v2vlint.model.fix import RegistryDeleteKey
from v2vlint.model.place import RegistryKey

CONTAINER = "ACPI0010"
BUTTON = "hidinterrupt"
_IDS = f"DriverDatabase\\DeviceIds\\ACPI\\{CONTAINER}"
_PACKAGES = "DriverDatabase\\DriverPackages"


@dataclass(frozen=True, slots=True)
class WindowsHal:
    """The HAL by its hardware ID in lower case (``acpiapic_mp``); ``title`` is what the device manager calls it."""

    name: str
    where: RegistryKey

    @property
    def title(self) -> str:
        """Its name for people; the hardware ID when it is none of Microsoft's."""
        return _TITLES.get(self.name, self.name)

    @property
    def acpi(self) -> bool:
        """Whether it uses ACPI."""
        return self.name.startswith("acpi")

    @property
    def uniprocessor(self) -> bool:
        """Whether it uses one processor only."""
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
    """Where the driver database gives the processors' container to the button driver.

    ``seen`` says that a device of this guest has that driver already. ``removal`` are the keys whose end undoes the binding; it is empty
    when they hold more than that.
    """

    where: RegistryKey
    seen: bool
    removal: tuple[RegistryDeleteKey, ...]


@dataclass(frozen=True, slots=True)
class WindowsAcpi:
    """``hal`` is None when the registry names none; ``button`` is None when the container has no wrong driver."""

    hal: WindowsHal | None
    button: ButtonBinding | None


@provides
def parse_acpi(registry: Registry) -> WindowsAcpi:
    """Read both; what is absent is None."""
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
