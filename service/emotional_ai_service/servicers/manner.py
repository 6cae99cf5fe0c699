"""How a reply is to be spoken: a state, the adapters there are, and what the caller chose, put together for the decoder."""

from dataclasses import dataclass, replace

from emotional_ai.v1 import engine_pb2
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai_service.core.expression import Expression, ExpressionRule, express
from emotional_ai_service.core.names import Vector4
from emotional_ai_service.core.timeline import Agent, Moment, check_levels
from emotional_ai_service.decoding import GenerationRequest, Message
from emotional_ai_service.decoding.errors import CannotBlend, CannotFollow
from emotional_ai_service.decoding.messages import ModelDescription, Voice, VoiceChange
from emotional_ai_service.repertoire import AdapterSource, Repertoire
from emotional_ai_service.safeguard import UNRESTRAINED, Restraint
from emotional_ai_service.servicers.speech import expression_to, generation_of, messages_from
from emotional_ai_service.servicers.voices import blend_from, schedule_from, voice_of
from emotional_ai_service.wire import agent_from, levels_from, state_to


@dataclass(frozen=True, slots=True)
class Manner:
    """How one reply under a session is to be spoken."""

    session_id: str
    sampling: pb.Sampling
    seed: int
    kv_policy: pb.KvPolicy.ValueType
    restraint: Restraint
    source: AdapterSource
    repertoire: Repertoire
    """What `source` had."""

    async def renewed(self) -> "Manner":
        """The same with the adapters there are now."""
        return replace(self, repertoire=await self.source.repertoire())

    def expression(self, moment: Moment) -> Expression:
        """How the session speaks at a moment, as far as the restraint lets it."""
        return expression_of(moment, self.repertoire, self.restraint)

    def voice(self, moment: Moment) -> Voice:
        """The same for the decoder, with the numbers the caller set instead."""
        return voice_of(self.expression(moment), self.repertoire, self.sampling)

    def generation(self, messages: tuple[Message, ...], moment: Moment) -> GenerationRequest:
        """What the decoder is asked for."""
        expression = self.expression(moment)
        return generation_of(
            messages,
            self.sampling,
            voice_of(expression, self.repertoire, self.sampling),
            self.seed,
            conditioning=expression.conditioning + expression.gloss,
            kv_policy=self.kv_policy,
            session=self.session_id,
        )

    def started(self, moment: Moment, disclosure: str) -> pb.ReplyStarted:
        """What the caller is told as the reply begins."""
        return pb.ReplyStarted(
            state=state_to(self.session_id, moment),
            expression=expression_to(self.expression(moment)),
            seed=self.seed,
            disclosure=disclosure,
            flags=self.restraint.flags,
            intensity=_restrained(moment.agent, self.restraint).intensity,
        )


class Outright:
    """How one reply under an expression given outright is to be spoken.

    A restraint lowers what is made of its state; numbers of the caller's own, a blend or a schedule, stay as they are.

    Raises InvalidRequest naming each field of its blend or schedule that cannot be, InvalidConfiguration for its `config`.
    """

    def __init__(self, request: pb.GenerateRequest, seed: int, restraint: Restraint) -> None:
        explicit = request.explicit
        self._request, self._seed, self._flags = request, seed, restraint.flags
        self._restraint = UNRESTRAINED if explicit.blend or explicit.schedule else restraint
        self._agent = agent_from(explicit.config, "explicit.config")
        self._blend = blend_from(explicit.blend, "explicit.blend")
        self.schedule = schedule_from(explicit.schedule, "explicit.schedule", request.sampling)
        """Changes during the reply."""

    def generation(self, there: Repertoire) -> GenerationRequest:
        """What the decoder is asked for, with the adapters there are."""
        expression, sampling = self._expression(there), self._request.sampling
        voice = voice_of(expression, there, sampling)
        if self._blend:
            voice = replace(voice, blend=self._blend)
        if self.schedule and self.schedule[0].token_index == 0:
            voice = self.schedule[0].voice
        return generation_of(
            messages_from(self._request.messages),
            sampling,
            voice,
            self._seed,
            conditioning=(
                "" if self._request.explicit.without_conditioning else expression.conditioning + expression.gloss
            ),
            kv_policy=self._request.kv_policy,
            schedule=self.schedule,
        )

    def started(self, there: Repertoire, disclosure: str) -> pb.ReplyStarted:
        """What the caller is told as the reply begins."""
        return pb.ReplyStarted(
            expression=expression_to(self._expression(there)),
            seed=self._seed,
            disclosure=disclosure,
            flags=self._flags,
            intensity=_restrained(self._agent, self._restraint).intensity,
        )

    def _expression(self, there: Repertoire) -> Expression:
        return outright(self._agent, self._request.explicit.chemistry, "explicit.chemistry", there, self._restraint)


def check_policy(policy: pb.KvPolicy.ValueType, model: ModelDescription) -> None:
    """Raises CannotBlend for a policy of the cache that the backend cannot keep to."""
    if policy == pb.KV_POLICY_KEEP and not model.follows:
        problem = (
            "keeps no cache from one blend to another; leave kv_policy unset, or ask for KV_POLICY_REFRESH_AT_TURN"
        )
        raise CannotBlend(model.backend, problem)


def check_schedule(schedule: tuple[VoiceChange, ...], model: ModelDescription) -> None:
    """Raises CannotFollow for changes during a reply that the backend cannot make."""
    if not model.follows and any(change.token_index for change in schedule):
        raise CannotFollow(model.backend)


def expression_of(moment: Moment, there: Repertoire, restraint: Restraint = UNRESTRAINED) -> Expression:
    """The way a session speaks at a moment, with the adapters there are."""
    return _express(moment.agent, moment.levels, moment.label, there, restraint)


def outright(
    agent: Agent,
    chemistry: engine_pb2.Chemistry,
    path: str,
    there: Repertoire,
    restraint: Restraint = UNRESTRAINED,
) -> Expression:
    """The way an agent speaks in a state given outright. Raises InvalidInput, its path below `path`."""
    levels = levels_from(chemistry)
    check_levels(levels, path)
    return _express(agent, levels, 0, there, restraint)


def _express(agent: Agent, levels: Vector4, held_label: int, there: Repertoire, restraint: Restraint) -> Expression:
    return express(levels, agent.dynamics.baseline, _restrained(agent, restraint), held_label, there.further)


def _restrained(agent: Agent, restraint: Restraint) -> ExpressionRule:
    """How the agent expresses itself where it may express no more than the restraint lets it."""
    rule = agent.expression
    return rule if rule.intensity <= restraint.intensity else replace(rule, intensity=restraint.intensity)
