"""Machines for programs: JSON and YAML of one published shape (``schema/machine-1.json``)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from v2vlint.model.blocks import BlockDevice
from v2vlint.model.definition import Definition, DiskDevice
from v2vlint.model.machine import InstalledKernel, Machine, OperatingSystem, Volume
from v2vlint.model.place import Device, RegistryKey, Span, WholeFile
from v2vlint.model.plain import JsonObject
from v2vlint.report.escape import json_text, valid_unicode

SCHEMA_VERSION = 1
SCHEMA_REVISION = 1
"""Counts additions within the version; the schema describes them."""
_PLACES = (Span, WholeFile, Device, RegistryKey)


def render_json(machines: Sequence[Machine], version: str) -> str:
    """The machines as JSON."""
    return json_text(as_data(machines, version))


def render_yaml(machines: Sequence[Machine], version: str) -> str:
    """The same data as YAML, also ASCII."""
    import yaml

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        """Puts text that a CI runner may take for commands in double quotes, where its characters can be escaped."""

    def text_node(dumper: Any, text: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if "##" in text or "::" in text else None)

    Dumper.add_representer(str, text_node)
    text: str = yaml.dump(valid_unicode(as_data(machines, version)), Dumper=Dumper, sort_keys=False, allow_unicode=False, width=120)
    return text


def as_data(machines: Sequence[Machine], version: str) -> JsonObject:
    """The machines as plain data."""
    return {
        "schema_version": SCHEMA_VERSION,
        "schema_revision": SCHEMA_REVISION,
        "tool": {"name": "v2vlint", "version": version},
        "machines": [_machine(machine) for machine in machines],
    }


def _machine(machine: Machine) -> JsonObject:
    return {**_plain(machine), "applications_listed": machine.applications, "seconds": round(machine.seconds, 3)}


def _plain(value: Any) -> Any:
    """Dataclasses as objects by field name, places as text, tuples as lists."""
    if isinstance(value, _PLACES):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return _adjusted(value, fields)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _adjusted(value: object, fields: JsonObject) -> JsonObject:
    """Pairs become objects, unknown numbers null, and fields that only another format needs are dropped."""
    if isinstance(value, Machine):
        del fields["applications"]
    if isinstance(value, OperatingSystem):
        del fields["libguestfs"]
    if isinstance(value, InstalledKernel):
        fields["drivers"] = {driver.name: driver.state for driver in value.drivers}
    if isinstance(value, Definition):
        fields = {name: item for name, item in fields.items() if name not in ("where", "places", "content")}
    if isinstance(value, DiskDevice):
        fields["capacity"] = None if value.capacity < 0 else value.capacity
    if isinstance(value, BlockDevice):
        fields["details"] = dict(value.details)
    if isinstance(value, Volume):
        fields = {name: None if item == -1 else item for name, item in fields.items()}
    return fields
