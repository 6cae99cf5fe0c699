"""The Training service: in the contract, not served yet."""

from emotional_ai.v1 import training_pb2_grpc


class TrainingServicer(training_pb2_grpc.TrainingServicer):
    """Inherits every method, so that each answers UNIMPLEMENTED (see guard)."""
