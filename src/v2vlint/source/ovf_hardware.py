"""The items of an OVF envelope that make up the hardware: those of one configuration, with normal quantities (DSP0243, 8.1, 8.3 and
9.8).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element

from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError
from v2vlint.model.xml_document import attribute, everywhere, local, text_of

_ITEMS = ("Item", "StorageItem", "EthernetPortItem")
_BOUNDS = ("", "normal", "min", "max")


@dataclass(frozen=True, slots=True)
class Configurations:
    """The configurations that an envelope offers, in its order, and the one in use."""

    names: tuple[str, ...] = ()
    chosen: str = ""

    def include(self, element: Element) -> bool:
        """Whether an element belongs to the configuration in use."""
        stated = attribute(element, "configuration").split()
        return not stated or self.chosen in stated


def configurations(where: str, root: Element, wanted: str) -> Configurations:
    """What ``root`` offers. Without ``wanted`` the default is used, or the first. ImageError when there is no such configuration."""
    section = next(everywhere(root, "DeploymentOptionSection"), None)
    offered = () if section is None else tuple(everywhere(section, "Configuration"))
    names = tuple(dict.fromkeys(name for one in offered if (name := attribute(one, "id"))))
    if wanted and wanted not in names:
        known = f"known: {', '.join(names)}" if names else "it offers none"
        raise ImageError(f"{where}: no configuration {wanted!r}", hint=known)
    default = next((attribute(one, "id") for one in offered if attribute(one, "default").lower() in ("true", "1")), "")
    return Configurations(names, wanted or default or next(iter(names), ""))


def items(system: Element, offered: Configurations) -> list[Element]:
    """The items of the first hardware section, for one configuration.

    Of items with the same identifier, the one that names the configuration is used; of items that are bounds, the normal one, or else the
    minimum.
    """
    sections = [*everywhere(system, "VirtualHardwareSection")]
    found = [one for one in (sections[0] if sections else system).iter() if local(one) in _ITEMS and offered.include(one)]
    grouped: dict[tuple[str, str], list[Element]] = {}
    for position, item in enumerate(found):
        name = instance(item) or f" {position}"
        grouped.setdefault((text_of(item, "ResourceType"), name), []).append(item)
    return [one for group in grouped.values() for one in _counting(group)]


def _counting(group: list[Element]) -> Iterable[Element]:
    named = [item for item in group if attribute(item, "configuration")] or group
    bounds = {attribute(item, "bound").lower() for item in named}
    # Items that differ are not one device written twice: the writer reused an identifier.
    if bounds == {""}:
        return named if len({*map(_content, named)}) > 1 else named[:1]
    wanted = next((bound for bound in _BOUNDS if bound in bounds), "")
    return [item for item in named if attribute(item, "bound").lower() == wanted][:1]


def _content(item: Element) -> tuple[tuple[str, str], ...]:
    return tuple((local(one), (one.text or "").strip()) for one in item)


def instance(item: Element) -> str:
    """The identifier of an item, in the spelling of either version of the schema."""
    return text_of(item, "InstanceID") or text_of(item, "InstanceId")


def properties(root: Element, offered: Configurations) -> dict[str, str]:
    """The values for ``${name}`` references."""
    return dict(_properties(root, offered))


def _properties(root: Element, offered: Configurations) -> Iterator[tuple[str, str]]:
    for section in everywhere(root, "ProductSection"):
        for one in everywhere(section, "Property"):
            if not offered.include(one):
                continue
            key = ".".join(part for part in (attribute(section, "class"), attribute(one, "key"), attribute(section, "instance")) if part)
            values = [value for value in everywhere(one, "Value") if attribute(value, "configuration") and offered.include(value)]
            yield key, attribute(values[0] if values else one, "value")


def resolved(text: str, known: dict[str, str]) -> str:
    """``text``, or the value that it refers to if it is ``${name}``."""
    return known.get(text[2:-1], "") if text.startswith("${") and text.endswith("}") else text
