"""The template of a rule that ``v2vlint rules --new`` writes. It passes ``v2vlint test`` without changes."""

from __future__ import annotations

import re
from pathlib import Path

from v2vlint.model.errors import UsageError

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_TEXT = '''"""{title}."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, GuestFS, Rule, Severity, Unknown, WholeFile


class {name}(Rule):
    """{title}.

    ## What it does
    Finds guests without the file `/etc/issue.net`. Replace this by what your rule looks at.

    ## Why it matters
    Say what happens to a guest that has the fault.
    """

    severity = Severity.WARNING
    since = "1"
    kinds = frozenset({{"linux"}})
    examples = (
        Example({{}}, flags=("/etc/issue.net",), title="the file is not there"),
        Example({{"/etc/issue.net": "welcome\\n"}}, title="the file is there"),
    )

    def check(self, fs: GuestFS) -> Iterator[Finding | Unknown]:
        """The annotations of the parameters say which facts the rule needs: see v2vlint.api."""
        if not fs.is_file("/etc/issue.net"):
            yield self.finding(WholeFile("/etc/issue.net"), "the file is missing", "people who log in see no notice")
'''


def write(rule: str, folder: Path) -> Path:
    """Write ``rule`` (an id such as ``our-ca-missing``) into ``folder`` and return the file. UsageError when that is not possible."""
    if not _ID.fullmatch(rule):
        raise UsageError(f"{rule!r} is not an id of a rule", hint="lower-case words with dashes, such as our-ca-missing")
    path = folder / f"{rule.replace('-', '_')}.py"
    name = "".join(word.capitalize() for word in rule.split("-"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(_TEXT.format(name=name, title=rule.replace("-", " ").capitalize()))
    except FileExistsError as error:
        raise UsageError(f"{path} exists already") from error
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or 'cannot be written').lower()}") from error
    return path
