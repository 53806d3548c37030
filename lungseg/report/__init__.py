"""The comparison report: one page that opens from disk, its tables and its figures."""

from lungseg.report.write import write_report

__all__ = ["write_report"]
