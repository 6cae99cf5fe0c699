"""The appraiser: what a text, said by a person to the agent in a conversation, carries.

text -> refuse what cannot be read -> reading (emotions, signal heads, embedding)
     -> cues -> signals by `mapping` -> novelty from the conversation so far -> Appraisal
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from emotional_ai_service.appraisal.cues import find_cues
from emotional_ai_service.appraisal.errors import MAX_CHARACTERS, TextTooLong, UnreadableText
from emotional_ai_service.appraisal.mapping import found_only, from_emotions, from_heads, strength, valence
from emotional_ai_service.appraisal.novelty import FIRST, EmbeddingMemory, Floats, distance, topic, unfamiliarity
from emotional_ai_service.appraisal.result import Appraisal, FoundEmotion
from emotional_ai_service.core.names import NO_SIGNALS, SIGNALS
from emotional_ai_training.emotions import EmotionReader, Reading, SentenceEncoder, clean, load_heads

NEUTRAL: Final = "neutral"


class Appraiser:
    """Appraises texts in the context of a conversation. Not thread-safe: one appraiser belongs to one worker."""

    def __init__(self, reader: EmotionReader) -> None:
        self._reader = reader
        self._memory = EmbeddingMemory(reader.embed)
        heads = reader.heads
        self._emotion_thresholds = dict(zip(heads.emotions, map(float, heads.thresholds), strict=True))
        self._signal_thresholds = dict(zip(heads.signals, map(float, heads.signal_thresholds), strict=True))

    def appraise(self, texts: Sequence[str], history: Sequence[str] = ()) -> list[Appraisal]:
        """Appraises each text by itself, after the person's earlier messages `history`, oldest first.

        An earlier message in which nothing is readable is not compared with. Raises UnreadableText or TextTooLong.
        """
        readable = [_readable(index, text) for index, text in enumerate(texts)]
        if not readable:
            return []
        earlier = [cleaned for text in history if (cleaned := clean(text))]
        compared = self._memory.look_up(earlier) if earlier else None
        readings = self._reader.read(readable)
        return [self._appraisal(text, reading, compared) for text, reading in zip(readable, readings, strict=True)]

    def _appraisal(self, text: str, reading: Reading, earlier: Floats | None) -> Appraisal:
        self._memory.put(text, reading.embedding)
        emotions = dict(zip(self._emotion_thresholds, reading.emotions, strict=True))
        heads = dict(zip(self._signal_thresholds, reading.signals, strict=True))
        cues = find_cues(text)
        by_emotion = from_emotions(_strengths(emotions, self._emotion_thresholds), cues)
        by_head = from_heads(_strengths(heads, self._signal_thresholds), cues)
        signals = {name: max(by_emotion[name], by_head[name]) for name in SIGNALS}
        signals["novelty"] = _novelty(signals["novelty"], reading.embedding, earlier)
        found = found_only(signals)
        if found == NO_SIGNALS:
            return Appraisal(NO_SIGNALS, False, 0.0, valence(emotions, heads), ())
        named = tuple(
            FoundEmotion(name, probability)
            for name, probability in sorted(emotions.items(), key=lambda item: -item[1])
            if name != NEUTRAL and probability >= self._emotion_thresholds[name]
        )
        probabilities = [emotion.probability for emotion in named]
        probabilities += [heads[name] for name, value in zip(SIGNALS, found, strict=True) if value]
        return Appraisal(found, True, max(probabilities), valence(emotions, heads), named)


def open_appraiser(encoder_directory: Path) -> Appraiser:
    """Builds the appraiser with the committed heads. Raises EncoderUnusable or WeightsDamaged."""
    return Appraiser(EmotionReader(SentenceEncoder(encoder_directory), load_heads()))


def _readable(index: int, text: str) -> str:
    if len(text) > MAX_CHARACTERS:
        raise TextTooLong(index, len(text))
    cleaned = clean(text)
    if not cleaned:
        raise UnreadableText(index)
    return cleaned


def _strengths(probabilities: Mapping[str, float], thresholds: Mapping[str, float]) -> dict[str, float]:
    return {name: strength(value, thresholds[name]) for name, value in probabilities.items()}


def _novelty(in_words: float, embedding: Floats, earlier: Floats | None) -> float:
    if earlier is None:
        return max(in_words, FIRST)
    apart = distance(embedding, earlier)
    return max(in_words * unfamiliarity(apart), topic(apart))
