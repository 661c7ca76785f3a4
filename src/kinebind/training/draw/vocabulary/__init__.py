"""Named movements, as words of a language of movement: what hands, trunk and feet do, and what people call it."""

from kinebind.training.draw.vocabulary.arms import ARMS
from kinebind.training.draw.vocabulary.body import BODY
from kinebind.training.draw.vocabulary.movement import Movement, sentences
from kinebind.training.draw.vocabulary.sport import SPORT
from kinebind.training.draw.vocabulary.work import WORK

VOCABULARY: tuple[Movement, ...] = (*ARMS, *WORK, *SPORT, *BODY)

__all__ = ["VOCABULARY", "Movement", "sentences"]
