"""The effective settings as an equivalent v2vlint.toml."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from typing import Any

from v2vlint.isolate import size
from v2vlint.model.plain import JsonObject, Table
from v2vlint.run.settings import Settings


def config_text(settings: Settings, shape: str, reports: tuple[str, ...]) -> str:
    """TOML of ``settings``; ``shape`` and ``reports`` are the output settings in effect."""
    config, selection, limits = settings.config, settings.selection, settings.limits
    plain: JsonObject = {
        "target": list(settings.target_names),
        "mover": settings.mover.value,
        "profile": selection.profile,
        "select": list(selection.select),
        "ignore": list(selection.ignore),
        "fail-on": settings.fail_on.label,
        "strict": settings.strict,
        "jobs": settings.jobs,
        "format": shape,
        "report": list(reports),
        "baseline": config.baseline,
        "docs-url": config.docs_url,
        "allow-folder": list(config.allow_folder),
        "rules": list(config.rules),
        "memory-limit": size(limits.memory).replace(" ", ""),
        "cpu-limit": limits.cpu,
        "time-limit": int(limits.wall),
    }
    lines = [f"# from {config.folder / config.origin}" if config.origin else "# no configuration file", *_pairs(plain)]
    if config.severity:
        lines += ["", "[severity]", *_pairs({key: level.label for key, level in config.severity.items()})]
    for one in config.exceptions:
        fields = {"id": one.id, "image": one.image, "path": one.path, "reason": one.reason, "expires": one.expires}
        lines += ["", "[[exceptions]]", *_pairs({key: value for key, value in fields.items() if value})]
    for anchor in config.images:
        lines += ["", "[[images]]", *_pairs({"match": anchor.match, "recipe": anchor.recipe})]
    for recipe in config.recipes:
        lines += ["", "[[recipes]]", *_pairs({"image": recipe.image, "files": recipe.files})]
    for name, data in config.targets.items():
        lines += ["", f"[targets.{_key(name)}]", *_pairs(data)]
    return "\n".join(lines) + "\n"


def _pairs(data: Table) -> Iterator[str]:
    return (f"{_key(key)} = {_value(value)}" for key, value in data.items())


def _key(key: str) -> str:
    return key if key and all(char.isascii() and (char.isalnum() or char in "-_") for char in key) else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(_pairs(value)) + " }" if value else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, int | float | datetime.date):
        return str(value)
    # A string of JSON is one of TOML, but for DEL.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
