"""JSON lines: one guest per line, in the same shape as in the JSON report (``docs/schema/report-1.json``, an item of ``images``)."""

from __future__ import annotations

from v2vlint.model.report import Report
from v2vlint.report.escape import json_text
from v2vlint.report.formats.json_report import image_data


def render(report: Report) -> str:
    """The guests of the report."""
    return "".join(json_text(image_data(image), indent=None) for image in report.images)
