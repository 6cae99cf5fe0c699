"""Samplers and what is asked of them."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from tinker import types

from emotional_ai_training.tinker_server.compute import SampleTask
from emotional_ai_training.tinker_server.desk import Desk, fresh_seed, wall_clock
from emotional_ai_training.tinker_server.errors import InvalidRequest, UnknownName
from emotional_ai_training.tinker_server.names import CheckpointPath, Kind, parse_path
from emotional_ai_training.tinker_server.replies import Reply
from emotional_ai_training.tinker_server.sessions import Sessions
from emotional_ai_training.tinker_server.wire import sample_reply, sample_request


@dataclass(frozen=True, slots=True)
class Sampler:
    """What a sampler reads with: sampler weights, or the bare base model."""

    session_id: str
    weights: CheckpointPath | None


class Samplers:
    """Samplers by id, for as long as their sessions are open."""

    def __init__(self, desk: Desk, sessions: Sessions) -> None:
        self._desk = desk
        self._sessions = sessions
        self._known: dict[str, Sampler] = {}

    def add(self, session_id: str, number: int, weights: CheckpointPath | None) -> str:
        """A sampler's id; the same one for the same number."""
        sampler_id = f"{session_id}:sample:{number}"
        self._known[sampler_id] = Sampler(session_id, weights)
        return sampler_id

    def create(self, request: types.CreateSamplingSessionRequest) -> dict[str, object]:
        """A sampler over a checkpoint or the base model."""
        self._sessions.seen(request.session_id)
        weights = self._weights(request.model_path, request.base_model)
        sampler_id = self.add(request.session_id, request.sampling_session_seq_id, weights)
        return {"type": "create_sampling_session", "sampling_session_id": sampler_id}

    def describe(self, sampler_id: str) -> dict[str, object]:
        """A sampler's model and weights."""
        weights = self._of(sampler_id).weights
        named = None if weights is None or weights.kind is Kind.EPHEMERAL else str(weights)
        return {"sampler_id": sampler_id, "base_model": self._desk.engine.base.name, "model_path": named}

    def drop(self, session_id: str) -> None:
        """Forgets the samplers of a session."""
        self._known = {name: one for name, one in self._known.items() if one.session_id != session_id}

    def sample(self, request: types.SampleRequest) -> dict[str, object]:
        """A promise of samples, with an id for each."""
        if request.sampling_session_id is None:
            weights = self._weights(request.model_path, request.base_model)
            request_id = f"sample:{uuid.uuid4().hex}"
        else:
            weights = self._of(request.sampling_session_id).weights
            number = uuid.uuid4().hex if request.seq_id is None else request.seq_id
            request_id = f"{request.sampling_session_id}:{number}"
        base = self._desk.engine.base
        asked = sample_request(request, base.ends, base.context_length, fresh_seed())
        asked.check(base)

        def make(answered: Callable[[Reply], None]) -> SampleTask:
            return SampleTask(weights, asked, sample_reply, answered)

        self._desk.submit_sample(request_id, make)
        return {
            "request_id": request_id,
            "sample_sequence_ids": [f"{request_id}:{index}" for index in range(request.num_samples)],
        }

    def _weights(self, path: str | None, base_model: str | None) -> CheckpointPath | None:
        if path is None:
            self._desk.engine.base.check_name(base_model or "")
            return None
        weights = parse_path(path)
        if weights.kind is not Kind.SAMPLER:
            raise InvalidRequest(f"{weights} cannot be sampled: only tinker://<run>/sampler_weights/<name> can")
        self._desk.engine.store.get(weights, wall_clock())
        return weights

    def _of(self, sampler_id: str) -> Sampler:
        try:
            return self._known[sampler_id]
        except KeyError as error:
            raise UnknownName(
                f"sampler {sampler_id[:120]} is not here: its session was finished, or the server was restarted"
            ) from error
