"""``v2vlint doctor``: what works on this machine, and what each missing piece costs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from v2vlint.cli import exits, options, output
from v2vlint.engine.doctor import PieceState, State, examine
from v2vlint.report.layout import Row, Styled, paragraph

_STYLES = {State.OK: "ok", State.MISSING: "warning", State.BROKEN: "error"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--format", choices=("text", "json"), default="text", help="the format on stdout")
    options.add_colour(parser)


def run(args: argparse.Namespace) -> int:
    """Examine everything; 3 when something essential is broken."""
    from v2vlint.fixing.direct.pieces import pieces

    found = (*examine(), *pieces(), _cache())
    if args.format == "json":
        import dataclasses
        import json

        output.write(json.dumps([dataclasses.asdict(verdict) for verdict in found], indent=2) + "\n", "json")
    else:
        output.show(list(_rows(found)), output.colours(args.color))
    return exits.NOT_EVALUATED if any(verdict.state is State.BROKEN for verdict in found) else exits.OK


def _cache() -> PieceState:
    from v2vlint.run.cache import Cache, state

    if Cache().usable:
        return PieceState("cache", State.OK, state())
    return PieceState(
        "cache", State.MISSING, f"{state()}; no folder that this user alone can write", "guests that are as they were are judged again"
    )


def _rows(found: tuple[PieceState, ...]) -> Iterator[Row]:
    look = output.look()
    width = max(len(verdict.piece) for verdict in found) + 1
    for verdict in found:
        lead = Styled(f"{verdict.state.value:<8} {verdict.piece:<{width}}", _STYLES[verdict.state])
        yield from paragraph(verdict.detail, look.width, 0, lead=lead)
        if verdict.cost:
            yield from paragraph(verdict.cost, look.width, width + 9, "dim", Styled(f"{look.arrow} ", "dim"))
