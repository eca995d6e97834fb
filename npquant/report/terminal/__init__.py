"""The report as a page of plain text: the answer in four lines, the eight steps, and on request more figures."""

from npquant.report.terminal.page import render_report

__all__ = ["render_report"]
