"""What a synchronisation leaves in a folder: the result, aligned tables and the page to look at."""

from kinebind.output.result import write_result

__all__ = ["write_result"]
