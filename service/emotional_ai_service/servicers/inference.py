"""The Inference service."""

from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.v1 import inference_pb2_grpc
from emotional_ai_service.core.errors import InvalidInput
from emotional_ai_service.core.expression import ADAPTERS, Expression, express
from emotional_ai_service.core.names import Vector4
from emotional_ai_service.core.timeline import Agent, Moment, check_levels
from emotional_ai_service.engine import Engine
from emotional_ai_service.guard import Context
from emotional_ai_service.wire import agent_from, label_of, levels_from, levels_to


class InferenceServicer(inference_pb2_grpc.InferenceServicer):
    """Serves the language side of an engine's sessions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def PreviewExpression(
        self,
        request: pb.PreviewExpressionRequest,
        context: Context[pb.PreviewExpressionRequest, pb.PreviewExpressionResponse],
    ) -> pb.PreviewExpressionResponse:
        if request.HasField("session_id"):
            if request.HasField("config"):
                raise InvalidInput("config", "must be unset with a session, which has its own")
            session = await self._engine.session(request.session_id)
            expression = expression_of(session.state(self._engine.clock()))
        else:
            levels = levels_from(request.chemistry)
            check_levels(levels, "chemistry")
            expression = _express(agent_from(request.config), levels)
        return pb.PreviewExpressionResponse(expression=expression_to(expression))


def expression_of(moment: Moment) -> Expression:
    """The way a session speaks at a moment."""
    return _express(moment.agent, moment.levels, moment.label)


def _express(agent: Agent, levels: Vector4, held_label: int = 0) -> Expression:
    return express(levels, agent.dynamics.baseline, agent.expression, held_label)


def expression_to(expression: Expression) -> pb.Expression:
    """The contract's form of an expression."""
    return pb.Expression(
        chemistry=levels_to(expression.levels),
        blend=[
            pb.AdapterWeight(adapter=name, weight=weight)
            for name, weight in zip(ADAPTERS, expression.blend, strict=True)
        ],
        temperature=expression.temperature,
        top_p=expression.top_p,
        conditioning=expression.conditioning,
        gloss=expression.gloss,
        level_words=expression.level_words,
        label=label_of(expression.label),
        label_probabilities=[
            pb.LabelProbability(label=label_of(index), probability=probability)
            for index, probability in enumerate(expression.label_probabilities)
        ],
        valence=expression.valence,
        arousal=expression.arousal,
    )
