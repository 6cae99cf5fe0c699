"""The three services of the contract. Each method converts at the edge, once, and puts together what the parts below it do."""

from emotional_ai_service.servicers.emotion_engine import EmotionEngineServicer
from emotional_ai_service.servicers.inference import InferenceServicer
from emotional_ai_service.servicers.training import TrainingServicer

__all__ = ["EmotionEngineServicer", "InferenceServicer", "TrainingServicer"]
