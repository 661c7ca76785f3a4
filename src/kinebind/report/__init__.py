"""The page to look at: what a synchronisation found, and why."""

from kinebind.report.page import write_report

__all__ = ["write_report"]
