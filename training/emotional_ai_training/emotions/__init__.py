"""Emotions in text: 28 emotions of GoEmotions and the twelve signals, from sentence embeddings and words.

labels        the emotions, their Ekman groups, and the signals
files         files that a user brings, as text
text          cleaning, and windows of a long text
encoder       sentence embeddings, from a local directory
terms         words and word pairs, weighted
weights       the trained heads on disk, checked against their digest
classifier    the three put together: a Reading of each text
goemotions    the data the emotions are learned from, read from a directory the user brings
grammar       own sentences the signals are learned from
scores        macro-F1, over emotions and over Ekman groups; tuned thresholds
errors        what all this refuses
data/         the committed heads, the grammar, and whom to thank
"""

from emotional_ai_training.emotions.classifier import EmotionReader, Encoder, Reading
from emotional_ai_training.emotions.encoder import SentenceEncoder
from emotional_ai_training.emotions.errors import DatasetUnusable, EmotionsError, EncoderUnusable, WeightsDamaged
from emotional_ai_training.emotions.labels import EKMAN, EMOTIONS, SIGNALS
from emotional_ai_training.emotions.text import clean, windows
from emotional_ai_training.emotions.weights import HeadWeights, LinearHead, load_heads, save_heads

__all__ = [
    "EKMAN",
    "EMOTIONS",
    "SIGNALS",
    "DatasetUnusable",
    "EmotionReader",
    "EmotionsError",
    "Encoder",
    "EncoderUnusable",
    "HeadWeights",
    "LinearHead",
    "Reading",
    "SentenceEncoder",
    "WeightsDamaged",
    "clean",
    "load_heads",
    "save_heads",
    "windows",
]
