"""Readers: files of other programs become Kinebind's types."""
