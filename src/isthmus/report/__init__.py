"""One self-contained HTML file that shows what a comparison or a run found."""

from __future__ import annotations

from isthmus.report.page import render, write_report
from isthmus.report.single import run_report

__all__ = ["render", "run_report", "write_report"]
