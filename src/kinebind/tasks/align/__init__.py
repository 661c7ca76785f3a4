"""Alignment: whose each sensor is, where it is worn, and when, of sensors of which nothing is known beforehand."""

from kinebind.tasks.align.whole import Aligned, align

__all__ = ["Aligned", "align"]
