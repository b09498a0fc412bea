"""Diagnosing: a log, the rules that predict its messages, and optionally the guest's image."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import IO

from v2vlint.asking.child import ask
from v2vlint.asking.views import NotEvaluated
from v2vlint.diagnosing.boots import diagnose as diagnose_lines
from v2vlint.diagnosing.log import read
from v2vlint.diagnosing.tie import FILES, tie
from v2vlint.engine.explain import predicting
from v2vlint.engine.packs import LoadedRule
from v2vlint.engine.questions import FileView, Question
from v2vlint.model.codec import decode, parse
from v2vlint.model.diagnosis import Diagnosis
from v2vlint.model.report import ImageReport
from v2vlint.run.checking import check
from v2vlint.run.request import Request


def diagnose(log: str, stdin: IO[bytes], rules: Sequence[LoadedRule]) -> Diagnosis:
    """The diagnosis of the file ``log``, or of ``stdin`` for ``-``. ImageError when it cannot be read, UsageError when it is not text."""
    text = read(log, stdin)
    found = diagnose_lines(log, text.lines(), lambda line: tuple(loaded.id for loaded in predicting(line, rules)))
    return dataclasses.replace(found, lines=text.count, skipped=text.skipped)


def with_image(found: Diagnosis, request: Request) -> Diagnosis:
    """``found`` with what the request's one guest adds to it, judged for its one target. UsageError when there are several."""
    target = request.only_target().name
    request.only_guest()
    image = check(request).images[0]
    return dataclasses.replace(found, image=tie(found, image, target, _files(request, image)))


def _files(request: Request, image: ImageReport) -> dict[str, bytes]:
    """The paths in ``FILES`` that the guest has; none when the guest cannot be read, which the image's report states."""
    root = image.roots[0].device if len(image.roots) > 1 else ""
    question = Question(request.only_guest(), root=root, files=FILES)
    try:
        replies = ask(question, request.keys, request.settings.limits, lambda _key, compute: compute()).replies
    except NotEvaluated:
        return {}
    views = (decode(FileView, parse(replies[f"file:{path}"].value)) for path in FILES if replies[f"file:{path}"].value)
    return {view.path: view.content for view in views if view.content}
