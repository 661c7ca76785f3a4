"""Training: recipes, window stores, and a loop that can be killed and resumed.

Importing this imports torch, so nothing that starts the command line does.
"""

from kinebind.training.batches import batches, make_batch
from kinebind.training.loop import Outcome, train
from kinebind.training.recipe import Recipe, load_recipe, recipe_from_text, recipe_names
from kinebind.training.settings import DataConfig, TrainConfig
from kinebind.training.speed import Speed, measure_speed
from kinebind.training.store import WindowStore, open_store, store_from_recordings
from kinebind.training.takes import Take, take_from_recording
from kinebind.training.windows import Windows, entries_by_split, split_windows, windows_of

__all__ = [
    "DataConfig", "Outcome", "Recipe", "Speed", "Take", "TrainConfig", "WindowStore", "Windows", "batches",
    "entries_by_split", "load_recipe", "make_batch", "measure_speed", "open_store", "recipe_from_text",
    "recipe_names", "split_windows", "store_from_recordings", "take_from_recording", "train", "windows_of",
]  # fmt: skip
