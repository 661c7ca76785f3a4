"""Recognition of activities from embeddings: by the nearest neighbour, by a linear probe, by a fine-tuned head."""

from kinebind.tasks.recognise.classes import Classes, Head
from kinebind.tasks.recognise.expert_head import ExpertHead
from kinebind.tasks.recognise.neighbour import nearest
from kinebind.tasks.recognise.probe import Probe, fit_head, fit_probe
from kinebind.tasks.recognise.scores import ClassScores, class_scores

__all__ = ["ClassScores", "Classes", "ExpertHead", "Head", "Probe", "class_scores", "fit_head", "fit_probe", "nearest"]
