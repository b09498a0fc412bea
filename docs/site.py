"""What MkDocs is told besides mkdocs.yml: pages above docs/, the API by docstrings, and that rules' pages are in no navigation."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ABOVE = ("SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")


def on_files(files: Any, config: Any) -> Any:
    """Pages of the repository's top folder belong to the site, too; the rules' pages are reached from their index."""
    from mkdocs.structure.files import File, InclusionLevel

    for name in ABOVE:
        files.append(File(name, str(ROOT), config.site_dir, config.use_directory_urls))
    files.append(File.generated(config, "api.md", content=_reference()))
    for file in files.documentation_pages():
        if file.src_uri.startswith("rules/") and not file.src_uri.endswith("README.md"):
            file.inclusion = InclusionLevel.NOT_IN_NAV
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links between the two folders, as they are on the site."""
    if page.file.src_uri in ABOVE:
        return markdown.replace("](docs/", "](").replace("](README.md", "](index.md")
    return markdown.replace("](../SECURITY.md", "](SECURITY.md").replace("](../CONTRIBUTING.md", "](CONTRIBUTING.md")


def _reference() -> str:
    """The page of the API, by docstrings: the functions of v2vlint, what a test asks of a guest, and what a rule may import."""
    import v2vlint
    from v2vlint import api
    from v2vlint.asking import files, system, views
    from v2vlint.asking.guest import Askable

    functions = [getattr(v2vlint, name) for name in ("check", "fix", "inspect", "open", "forecast", "prove", "define")]
    parts = [
        "# API reference",
        "Written from the docstrings. [Python](python.md), [pytest](pytest.md) and [own rules](own-rules.md) show it at work.",
    ]
    parts += ["## v2vlint", *map(_entry, functions)]
    parts += ["## A guest in tests", _entry(Askable), *(_entry(one) for module in (views, system, files) for one in _own(module))]
    titles = {
        "model": "What rules are made of",
        "facts": "Facts",
        "verdicts": "Verdicts",
        "samples": "Samples for examples",
        "guest": "Files",
    }
    for folder, title in titles.items():
        parts += [f"## v2vlint.api: {title.lower()}", *map(_entry, _own(api, f"v2vlint.{folder}"))]
    return "\n\n".join(part for part in parts if part) + "\n"


def _own(module: Any, folder: str = "") -> list[Any]:
    """Classes and functions that a module has, or hands on from a folder, by name."""
    found = [one for name, one in vars(module).items() if name[0] != "_" and (inspect.isclass(one) or inspect.isfunction(one))]
    return sorted((one for one in found if one.__module__.startswith(folder or module.__name__)), key=lambda one: str(one.__name__))


def _entry(one: Any) -> str:
    """A heading, the signature, the docstring, and the public members of a class with the first line of theirs."""
    if not (doc := inspect.getdoc(one)) or doc.startswith(f"{one.__name__}("):
        doc = ""
    lines = [f"### {one.__name__}", f"```python\n{one.__name__}{_signature(one)}\n```", _markdown(doc)]
    if inspect.isclass(one):
        lines.append("\n".join(_members(one)))
    return "\n\n".join(line for line in lines if line)


def _members(one: type) -> Iterator[str]:
    for name, member in vars(one).items():
        told = inspect.getdoc(member) if isinstance(member, property | staticmethod | classmethod) or inspect.isfunction(member) else ""
        if name[0] != "_" and told:
            call = _signature(member) if inspect.isfunction(member) else ""
            yield f"- `{name}{call}`: {_markdown(' '.join(told.partition(chr(10) * 2)[0].split()))}"


def _signature(one: Any) -> str:
    try:
        return re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(one)))
    except (TypeError, ValueError):
        return ""


def _markdown(text: str) -> str:
    """A docstring as Markdown: roles and double backquotes are code, and nothing is HTML."""
    text = re.sub(r":\w+:`~?([^`]+)`", lambda match: f"`{match[1].rpartition('.')[2]}`", text)
    return re.sub(r"``([^`]+)``", r"`\1`", text).replace("<", "&lt;")
