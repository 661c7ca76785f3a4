"""The jobs that a trained model is tested on: retrieval, synchronisation, people, parts, activities."""

from kinebind.training.jobs.activities import recognise
from kinebind.training.jobs.result import JobResult, Plot, Subject
from kinebind.training.jobs.synchronise import METHODS, synchronise
from kinebind.training.jobs.windows import find_parts, find_people, retrieve

__all__ = [
    "METHODS", "JobResult", "Plot", "Subject", "find_parts", "find_people", "recognise", "retrieve", "synchronise",
]  # fmt: skip
