"""The report as a page: one offline HTML file, drawn from report.json alone."""

from npquant.report.page.sheet import render_page

__all__ = ["render_page"]
