"""Documentation pages of rules, generated from the rules: docstring, metadata, examples with their outcome."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from v2vlint.engine.packs import LoadedRule
from v2vlint.engine.profile import PROFILES
from v2vlint.model.finding import Severity
from v2vlint.model.rewrite import unified
from v2vlint.model.rule import Example, Hive, Link, RuleInfo

MAX_SHOWN = 4000
NOTE = "<!-- made by 'v2vlint rules --write' from the rule itself: change the rule, not this page -->"


def pages(rules: Sequence[LoadedRule]) -> dict[str, str]:
    """File names and texts: one page per rule, and ``README.md`` as the index."""
    made = {f"{rule.id}.md": page(rule) for rule in rules}
    return {**made, "README.md": index(rules)}


def page(rule: LoadedRule) -> str:
    """The page of one rule, in Markdown."""
    info = rule.info()
    title, _, body = info.help.partition("\n")
    facts = [
        ("severity", info.severity.label),
        ("group", info.group or "other"),
        ("profiles", _profiles(info)),
        ("fix", "yes" if info.fixable else "no"),
        ("applies to", ", ".join(sorted(type(rule.rule).kinds))),
        ("reads", ", ".join(f"`{name}`" for name in info.facts)),
        ("since", info.since),
    ]
    table = ["| | |", "|---|---|", *(f"| {label} | {value} |" for label, value in facts)]
    parts = [NOTE, f"# {info.id}", title, "\n".join(table), body.strip("\n"), *_examples(type(rule.rule).examples)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _profiles(info: RuleInfo) -> str:
    return ", ".join(f"`{one.name}`" for one in PROFILES.values() if one.takes(info))


def index(rules: Sequence[LoadedRule]) -> str:
    """The index of all rules, by group."""
    parts = [NOTE, "# Rules"]
    infos = sorted((rule.info() for rule in rules), key=lambda info: (info.group, info.id))
    for group, members in groupby(infos, key=lambda info: info.group):
        rows = [f"| [{i.id}]({i.id}.md) | {i.severity.label} | {'yes' if i.fixable else ''} | {_cell(i.title)} |" for i in members]
        parts += [f"## {group or 'other'}", "\n".join(["| rule | severity | fix | what is wrong |", "|---|---|---|---|", *rows])]
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


_LOWER_CASE = frozenset({"dracut", "keepalived", "libvirt", "pygrub", "systemd"})
"""Names that are not capitalised, even at the start of a sentence; those with characters other than letters are not either."""


def _examples(examples: Sequence[Example]) -> Iterator[str]:
    flagged = [example for example in examples if example.flags][:2]
    clean = [example for example in examples if not example.flags and not example.unknown][:2]
    for heading, chosen in (("## Flagged", flagged), ("## Not flagged", clean)):
        shown = [part for example in chosen for part in _example(example)]
        if shown:
            yield heading
            yield from shown


def _example(example: Example) -> Iterator[str]:
    texts = {path: content for path, content in example.files.items() if isinstance(content, str | Link | Hive)}
    if not texts:
        return
    if lead := _lead(example):
        yield lead
    for path, content in texts.items():
        yield from _file(path, content)
    if example.fixed and not any(isinstance(content, bytes) for content in example.fixed.values()):
        yield "The fix:"
        fixed = {path: content for path, content in example.fixed.items() if content is None or isinstance(content, str | Hive)}
        yield _fence("diff", _diff(texts, fixed))


def _file(path: str, content: str | Link | Hive) -> Iterator[str]:
    if isinstance(content, Link):
        yield f"`{path}` is a link to `{content.target}`"
    elif text := (content.text if isinstance(content, Hive) else content).strip():
        yield f"`{path}`"
        yield _fence("reg", text) if isinstance(content, Hive) else _fence("", str(content))
    else:
        yield f"`{path}`, an empty file"


def _lead(example: Example) -> str:
    circumstances = [] if example.target == "kvm" else [f"target `{example.target}`"]
    circumstances += [f"moved with `{example.mover.value}`"] if example.mover.value != "raw" else []
    level = example.severity.label if example.severity is not None and example.severity is not Severity.ERROR else ""
    said = [part for part in (example.title, level, *circumstances) if part]
    text = "; ".join(said)
    word = text.split(" ")[0].rstrip(";,:")
    kept = not word.isalpha() or word in _LOWER_CASE
    return f"{text if kept else text[:1].upper() + text[1:]}:" if text else ""


def _fence(language: str, text: str) -> str:
    shown = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}\n[…]"
    safe = "".join(char if char.isprintable() or char in "\n\t" else "�" for char in shown)
    longest = max((len(run) for run in safe.split() if set(run) == {"`"}), default=0)
    marks = "`" * max(3, longest + 1)
    return f"{marks}{language}\n{safe.rstrip()}\n{marks}"


def _diff(before: Mapping[str, object], after: Mapping[str, str | Hive | None]) -> str:
    return unified({path: (_shown(before.get(path)), _shown(content)) for path, content in after.items()})


def _shown(content: object) -> str | None:
    if isinstance(content, Hive):
        return f"{content.text.strip()}\n"
    return content if isinstance(content, str) else None
