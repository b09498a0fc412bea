"""JSON schemas for editors: ``python -m tests.schemas`` writes those of the configuration, of targets and of sample guests anew.

Their keys are the loaders' own, and tests hold both against the same files.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guestbuild.recipe import Recipe, Tree
from v2vlint.engine import config
from v2vlint.model.finding import Mover, Severity
from v2vlint.model.proof import Reached
from v2vlint.report.registry import FORMATS
from v2vlint.target import keys

FOLDER = Path(__file__).resolve().parents[1] / "src" / "v2vlint" / "schema"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
FLAG: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "array", "items": {"type": "string"}}
TEXT_OR_TEXTS: Schema = {"anyOf": [{"type": "string"}, TEXTS]}
POSITIVE: Schema = {"type": "integer", "minimum": 1}
SEVERITY: Schema = {"enum": [level.label for level in Severity]}
WORD: Schema = {"type": "string", "pattern": "^([a-z0-9][a-z0-9._-]*)?$"}


def table(properties: Schema, *needed: str) -> Schema:
    """A table with these keys and no others."""
    return {"type": "object", "properties": properties, "additionalProperties": False, **({"required": [*needed]} if needed else {})}


def some(item: Schema, least: int = 0) -> Schema:
    """A list."""
    return {"type": "array", "items": item, **({"minItems": least} if least else {})}


def number(low: int, high: int) -> Schema:
    """A whole number within bounds."""
    return {"type": "integer", "minimum": low, "maximum": high}


_DAY: Schema = {"type": "string", "format": "date", "description": "the last day it holds, such as 2026-12-31"}
_EXCEPTION = table({"id": TEXT, "image": TEXT, "path": TEXT, "reason": TEXT, "expires": _DAY}, "id", "reason")
CONFIG: dict[str, tuple[Schema, str]] = {
    "target": (TEXT_OR_TEXTS, "target profiles: names, .toml profiles, libvirt XML, Proxmox .conf"),
    "mover": ({"enum": [one.value for one in Mover]}, "who carries the guest there"),
    "profile": ({"enum": ["minimal", "default", "template", "strict"]}, "which rules run, and what fails the run"),
    "select": (TEXT_OR_TEXTS, "only these rules: ids, groups or globs"),
    "ignore": (TEXT_OR_TEXTS, "not these rules"),
    "fail-on": (SEVERITY, "exit with 1 when a finding is at least this severe"),
    "strict": (FLAG, "exit with 3 when a rule could not tell"),
    "jobs": ({"anyOf": [POSITIVE, {"const": "auto"}]}, "images read at the same time"),
    "format": ({"enum": [*FORMATS]}, "what stdout gets"),
    "report": ({"anyOf": [{"type": "string", "pattern": "^[a-z]+=."}, some({"type": "string", "pattern": "^[a-z]+=."})]}, "FORMAT=FILE"),
    "baseline": ({"type": "string"}, "findings recorded in this file do not count"),
    "docs-url": ({"type": "string", "pattern": "^(https?://.*)?$"}, "where SARIF's helpUri leads"),
    "memory-limit": ({"type": ["string", "integer"]}, "address space of the reader process, such as 2GiB"),
    "cpu-limit": (POSITIVE, "seconds of processor time of the reader process"),
    "time-limit": (POSITIVE, "seconds on the clock for each image"),
    "allow-folder": (TEXT_OR_TEXTS, "folders in which files that a guest refers to may lie; counts only in a file given with --config"),
    "rules": (TEXT_OR_TEXTS, "folders with rules of your own; counts only in a file given with --config"),
    "severity": ({"type": "object", "additionalProperties": SEVERITY}, "severities by id of rule"),
    "targets": ({"type": "object", "additionalProperties": {"$ref": "#/$defs/target"}}, "targets of your own, by name"),
    "exceptions": (some(_EXCEPTION), "findings that do not count, with a reason"),
    "images": (some(table({"match": TEXT, "recipe": TEXT}, "match", "recipe")), "what an image is built from: one file, not searched"),
    "recipes": (
        some(table({"image": TEXT, "files": TEXT_OR_TEXTS}, "image", "files")),
        "what an image is built from: its lines are searched",
    ),
}

_SETS = some(some(TEXT, 1), 1)
_ID = "^[0-9a-f]{4}:[0-9a-f]{4}$"
_IDS: Schema = {"type": "object", "additionalProperties": {"type": "string", "pattern": _ID}}
_CONTROLLER = table({"name": TEXT, "prefix": {"enum": [*keys.PREFIXES]}, "any_of": _SETS, "ids": _IDS}, "name", "prefix", "any_of")
_NIC = table({"name": TEXT, "any_of": _SETS, "ids": some({"type": "string", "pattern": _ID})}, "name", "any_of")
_CHOICE = table({"guests": some(TEXT, 1), "source": TEXT, "controller": _CONTROLLER, "nic": _NIC}, "guests", "source")
_DISPLAY = table({"name": TEXT, "modules": some(TEXT), "xorg_drivers": some(TEXT)}, "name", "modules", "xorg_drivers")
_BOARD = table({"cards": some({}, 1), "source": TEXT}, "cards", "source")
_NAME = table({"pattern": TEXT, "longest": number(1, 1 << 16), "words": TEXT}, "pattern", "longest", "words")
_COUNT = number(0, 1 << 24)
TARGET: dict[str, Schema] = {
    **dict.fromkeys(("title", "hypervisor"), TEXT),
    **dict.fromkeys(("platform", "bios", "guest_agent"), WORD),
    "vmbus_id": {"type": "string"},
    **dict.fromkeys(("xen_pv", "names_system_disk", "cpu_hotplug", "efi32"), FLAG),
    **dict.fromkeys(("keeps_mac", "keeps_pci", "keeps_nvram", "keeps_tpm", "keeps_network"), FLAG),
    **dict.fromkeys(("consoles", "keyboards", "resolvers", "time_servers", "clocksources", "shares"), some(TEXT)),
    **dict.fromkeys(("datasources", "agents"), some({"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]*$"})),
    "controllers": some(_CONTROLLER, 1),
    "nics": some(_NIC),
    "boards": some(_BOARD),
    "choices": some(_CHOICE),
    "displays": some(_DISPLAY),
    "other_slots": some(number(0, 1 << 14)),
    "other_buses": some(number(0, 255)),
    "other_indexes": some(number(0, 1 << 27)),
    "macs": some({"type": "string", "pattern": "^[0-9a-f]{2}(:[0-9a-f]{2}){5}$"}),
    "mac_prefixes": some({"type": "string", "pattern": "^[0-9a-f]{2}(:[0-9a-f]{2}){1,2}$"}),
    "max_mtu": number(0, 1 << 16),
    "firmware": some({"enum": ["bios", "uefi"]}, 1),
    "first_disk_only": some({"enum": ["bios", "uefi"]}),
    "boot_order": some(number(1, 1 << 10)),
    "admission": table(
        {
            **dict.fromkeys(("swap", "lvm", "grows_root", "power_button"), FLAG),
            "provisioners": some(WORD),
            "refuses": some({"enum": [*keys.LAYOUTS]}),
        },
    ),
    "sector_size": {"enum": [0, 512, 4096]},
    "disk_sectors": some({"enum": [0, 512, 4096]}),
    "secure_boot": {"enum": ["", "microsoft", "windows", "own"]},
    "arch": {"enum": [*keys.ARCHITECTURES]},
    "cpu_level": number(1, 4),
    "arm_level": number(80, 99),
    "page_sizes": some(number(4, 64), 1),
    "ram_mib": number(64, 1 << 24),
    "ptp_clocks": some({"type": "string", "pattern": r"^/dev/[\w/-]+$"}),
    "limits": table({"name": _NAME, **dict.fromkeys(("disks", "disk_gib", "cpus", "memory_gib", "cards"), _COUNT)}),
    "images": table(
        {"formats": some({"enum": [*keys.FORMATS]}), "align_mib": number(0, 1 << 20), "align_formats": some({"enum": [*keys.FORMATS]})}
    ),
    "hardware": table(dict.fromkeys(("machine", "disk", "nic", "vga"), TEXT)),
}


def target() -> Schema:
    """A target profile. What it extends may have the keys that it lacks."""
    needed = ("title", "hypervisor", "controllers", "nics", "displays")
    whole = table({"extends": TEXT, **TARGET})
    return {**whole, "anyOf": [{"required": ["extends"]}, {"required": [*needed]}]}


def configuration() -> Schema:
    """v2vlint.toml, and ``[tool.v2vlint]`` of a pyproject.toml."""
    made = table({key: {**schema, "description": words} for key, (schema, words) in CONFIG.items()})
    return {**made, "$defs": {"target": target()}}


def sample_guest() -> Schema:
    """guest.toml: a tree's keys stand at its top, beside ``like`` and further ``trees``."""
    definitions: Schema = {}
    main = _of(Recipe, definitions)
    tree = _of(Tree, definitions)
    top = {name: value for name, value in main["properties"].items() if name not in ("id", "trees")}
    trees = {"type": "object", "additionalProperties": tree}
    return {**table({"like": TEXT, **tree["properties"], **top, "trees": trees}), "$defs": definitions}


def _of(kind: Any, definitions: Schema) -> Schema:
    """The schema of a type, as guestbuild reads it; dataclasses but the outermost become definitions."""
    hints = typing.get_type_hints(kind)
    made = {field.name: _type(hints[field.name], definitions) for field in dataclasses.fields(kind)}
    needed = [
        field.name
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    return table(made, *needed)


def _type(kind: Any, definitions: Schema) -> Schema:
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        return _type(typing.get_args(kind)[0], definitions)
    if origin is tuple:
        return some(_type(typing.get_args(kind)[0], definitions))
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _type(typing.get_args(kind)[1], definitions)}
    if dataclasses.is_dataclass(kind):
        name = typing.cast(type, kind).__name__.lower()
        if name not in definitions:
            definitions[name] = {}
            definitions[name] = _of(kind, definitions)
        return {"$ref": f"#/$defs/{name}"}
    return {"type": {str: "string", int: "integer", bool: "boolean", float: "number"}[kind]}


def diagnosis() -> Schema:
    """What ``v2vlint diagnose --format json`` writes. Keys may be added, so that none is forbidden."""
    report = json.loads((FOLDER / "report-1.json").read_text("utf-8"))["$defs"]
    shared = ("severity", "stage", "fate", "forecast", "finding", "where", "fix", "edit")
    whole, text, maybe = {"type": "integer"}, {"type": "string"}, {"type": ["string", "null"]}
    stage, undecided = {"$ref": "#/$defs/stage"}, {"type": ["boolean", "null"]}
    words = dict.fromkeys(("text", "name", "reason", "meaning", "advice", "here"), text)
    message = _object({"line": whole, **words, "stage": stage, "severity": {"$ref": "#/$defs/severity"}, "rules": some(text)})
    reached = {"enum": [one.value for one in Reached]}
    milestone = _object({"name": text, "stage": stage, "reached": reached, "line": {"type": ["integer", "null"]}, "text": text})
    image = _object({
        "image": text, "target": text, "forecast": _or_null("forecast"), "agrees": undecided,
        "findings": some({"allOf": [{"$ref": "#/$defs/finding"}, _object({"rule": text})]}),
        "mentions": some(_object({"path": text, "line": whole, "text": text})),
        "problems": some(_object({"where": text, "reason": text, "hint": maybe})),
    })  # fmt: skip
    version = {"schema_version": {"const": 1}, "schema_revision": whole, "tool": _object({"name": {"const": "v2vlint"}, "version": text})}
    counts = dict.fromkeys(("lines", "skipped", "boots", "boot"), whole)
    outcome = {"came_up": undecided, "reason": text, "stage": _or_null("stage"), "decisive": _or_null("message")}
    lists = {"milestones": some({"$ref": "#/$defs/milestone"}), "also": some({"$ref": "#/$defs/message"}), "last": some(text)}
    made = _object({**version, "log": text, **counts, **outcome, **lists, "image": _or_null("image")})
    own = {"message": message, "milestone": milestone, "image": image}
    return {**made, "$defs": {**{name: report[name] for name in shared}, **own}}


def _object(properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _or_null(name: str) -> Schema:
    return {"anyOf": [{"$ref": f"#/$defs/{name}"}, {"type": "null"}]}


def documents() -> dict[str, Schema]:
    """The schemas by the name of their file."""
    titles = {
        "config-1.json": ("configuration of v2vlint (v2vlint.toml, [tool.v2vlint])", configuration()),
        "target-1.json": ("target profile of v2vlint", target()),
        "sample-guest-1.json": ("sample guest of v2vlint (guest.toml)", sample_guest()),
        "diagnosis-1.json": ("diagnosis of v2vlint, schema version 1", diagnosis()),
    }
    return {name: {"$schema": DRAFT, "title": title, **schema} for name, (title, schema) in titles.items()}


def main() -> None:
    """Write them."""
    assert set(CONFIG) == set(config.KEYS)
    for name, schema in documents().items():
        (FOLDER / name).write_text(json.dumps(schema, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
