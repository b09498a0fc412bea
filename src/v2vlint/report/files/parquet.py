"""Parquet: the columns of the CSV report with their types. Needs pyarrow (``pip install 'v2vlint[parquet]'``)."""

from __future__ import annotations

import importlib
import io

from v2vlint.model.errors import UsageError
from v2vlint.model.report import Report
from v2vlint.report.escape import valid_unicode
from v2vlint.report.formats.csv_report import COLUMNS, values
from v2vlint.report.rollup import roll_up


def render(report: Report) -> bytes:
    """The report as a Parquet file. UsageError without pyarrow."""
    try:
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise UsageError("Parquet needs pyarrow", hint="pip install 'v2vlint[parquet]'; csv and jsonl need nothing") from None
    lines = [valid_unicode(list(values(row, place))) for row in roll_up(report) for place in row.places]
    # Positions in COLUMNS: the wave, and from the safe fixes to the stored bytes; then the minutes.
    whole, real = frozenset(range(12, 20)) | {10}, {20}
    types = [arrow.int64() if at in whole else arrow.float64() if at in real else arrow.string() for at in range(len(COLUMNS))]
    columns = [arrow.array([line[at] for line in lines], kind) for at, kind in enumerate(types)]
    sink = io.BytesIO()
    parquet.write_table(arrow.table(columns, names=list(COLUMNS)), sink)
    return sink.getvalue()
