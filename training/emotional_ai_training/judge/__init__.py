"""Does a text express an emotional state? A judge that never sees which state the text was asked for.

states      the human-labelled emotions that count as an expression of each state, and why
judge       Judge: probabilities of the five states, by embedding alone and by both halves
weights     the trained heads on disk, checked against their digest
scores      AUC and five-way macro-F1
training    trains the heads on GoEmotions and own sentences, and measures them
errors      what the judge refuses
data/       the committed heads, the own sentences, and whom to thank
"""

from emotional_ai_training.judge.errors import JudgeDamaged
from emotional_ai_training.judge.judge import Judge, Judgement
from emotional_ai_training.judge.scores import auc
from emotional_ai_training.judge.weights import JudgeWeights, load_judge

__all__ = ["Judge", "JudgeDamaged", "JudgeWeights", "Judgement", "auc", "load_judge"]
