"""The parts that all HTML pages share: a head with a policy that allows the page's own style and script, by their hash, and nothing
else.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from v2vlint.report.markup import Safe, tag


def asset(name: str) -> str:
    """The text of a file in ``assets``."""
    return (resources.files("v2vlint.report") / "assets" / name).read_text("utf-8")


def head(title: str, style: str, script: str) -> Safe:
    """The ``head`` element. ``script`` is what the page runs at its end; injected markup would not run."""
    sources = {"default-src": "'none'", "style-src": _digest(style), "script-src": _digest(script), "img-src": "data:"}
    policy = "; ".join(f"{name} {value}" for name, value in {**sources, "base-uri": "'none'", "form-action": "'none'"}.items())
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", Safe(style)),
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
