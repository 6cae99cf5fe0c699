"""The Inference service."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TypeVar

from emotional_ai.v1 import engine_pb2, inference_pb2_grpc
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai_service.core.errors import InvalidInput
from emotional_ai_service.core.expression import Expression, express
from emotional_ai_service.core.names import Vector4
from emotional_ai_service.core.timeline import Agent, Happened, Moment, check_levels
from emotional_ai_service.decoding import Finished, GenerationRequest, Message, Role, Started, Text
from emotional_ai_service.engine import Engine
from emotional_ai_service.errors import InvalidRequest, LanguageOff, ModelUnavailable, Violation
from emotional_ai_service.guard import Context
from emotional_ai_service.language import Language
from emotional_ai_service.servicers.speech import (
    appraisal_to,
    expression_to,
    finished_to,
    generation_of,
    messages_from,
    said_by_person,
    seed_of,
    text_to,
)
from emotional_ai_service.session import Intent
from emotional_ai_service.wire import agent_from, levels_from, levels_to, signals_to, state_to
from emotional_ai_training.adapters import Manifest, Registry

Response = TypeVar("Response", pb.ConverseResponse, pb.GenerateResponse)


class InferenceServicer(inference_pb2_grpc.InferenceServicer):
    """Serves the language side of an engine's sessions, and the adapters of a registry.

    Without `language` expressions can be previewed, and adapters listed.
    """

    def __init__(self, engine: Engine, language: Language | None, adapters: Registry) -> None:
        self._engine = engine
        self._optional_language = language
        self._adapters = adapters

    async def Converse(
        self, request: pb.ConverseRequest, context: Context[pb.ConverseRequest, pb.ConverseResponse]
    ) -> AsyncIterator[pb.ConverseResponse]:
        language, engine = self._language, self._engine
        async with engine.watching(request.session_id) as (session, _):
            try:
                (appraisal,) = await language.appraise([request.text], said_by_person(request.history))
            except InvalidRequest as error:
                raise InvalidRequest([Violation("text", v.description) for v in error.violations]) from error
            messages = (*messages_from(request.history), Message(Role.USER, request.text))
            seed = seed_of(request.sampling)
            heard = Happened(appraisal.signals)
            # A prompt that cannot be put to the model is refused before the session has heard it; a model that is away
            # is no reason not to hear.
            foreseen = session.foresee(heard, engine.clock())
            away: ModelUnavailable | None = None
            try:
                await language.admit(generation_of(messages, request.sampling, expression_of(foreseen), seed))
            except ModelUnavailable as error:
                away = error
            yield pb.ConverseResponse(appraisal=appraisal_to(appraisal))
            if appraisal.classified:
                stimulus = engine_pb2.Stimulus(event=signals_to(appraisal.signals))
                intent = Intent(heard, engine_pb2.LogEntry(stimulus=stimulus))
                moment = (await engine.apply(request.session_id, [intent], request_id=request.request_id)).moment
            else:
                moment = await session.read(engine.clock())
        if away is not None:
            raise away
        expression = expression_of(moment)
        generation = generation_of(messages, request.sampling, expression, seed)
        started = pb.ReplyStarted(
            state=state_to(request.session_id, moment), expression=expression_to(expression), seed=seed
        )
        yield pb.ConverseResponse(started=started)
        async with aclosing(_spoken(language, generation, pb.ConverseResponse)) as responses:
            async for response in responses:
                yield response

    async def Generate(
        self, request: pb.GenerateRequest, context: Context[pb.GenerateRequest, pb.GenerateResponse]
    ) -> AsyncIterator[pb.GenerateResponse]:
        language = self._language
        messages = messages_from(request.messages)
        state: engine_pb2.EmotionalState | None = None
        if request.HasField("explicit"):
            explicit = request.explicit
            expression = _explicit(
                agent_from(explicit.config, "explicit.config"), explicit.chemistry, "explicit.chemistry"
            )
            generation = generation_of(
                messages,
                request.sampling,
                expression,
                seed_of(request.sampling),
                conditioned=not explicit.without_conditioning,
                blend=explicit.blend,
            )
        else:
            session = await self._engine.session(request.session_id)
            moment = await session.read(self._engine.clock())
            state, expression = state_to(request.session_id, moment), expression_of(moment)
            generation = generation_of(messages, request.sampling, expression, seed_of(request.sampling))
        await language.admit(generation)
        yield pb.GenerateResponse(
            started=pb.ReplyStarted(state=state, expression=expression_to(expression), seed=generation.seed)
        )
        async with aclosing(_spoken(language, generation, pb.GenerateResponse)) as responses:
            async for response in responses:
                yield response

    async def Appraise(
        self, request: pb.AppraiseRequest, context: Context[pb.AppraiseRequest, pb.AppraiseResponse]
    ) -> pb.AppraiseResponse:
        found = await self._language.appraise(request.texts, said_by_person(request.history))
        return pb.AppraiseResponse(appraisals=[appraisal_to(appraisal) for appraisal in found])

    async def PreviewExpression(
        self,
        request: pb.PreviewExpressionRequest,
        context: Context[pb.PreviewExpressionRequest, pb.PreviewExpressionResponse],
    ) -> pb.PreviewExpressionResponse:
        if request.HasField("session_id"):
            if request.HasField("config"):
                raise InvalidInput("config", "must be unset with a session, which has its own")
            session = await self._engine.session(request.session_id)
            expression = expression_of(await session.read(self._engine.clock()))
        else:
            expression = _explicit(agent_from(request.config), request.chemistry, "chemistry")
        return pb.PreviewExpressionResponse(expression=expression_to(expression))

    async def GetModel(
        self, request: pb.GetModelRequest, context: Context[pb.GetModelRequest, pb.GetModelResponse]
    ) -> pb.GetModelResponse:
        decoder = self._language.decoder
        model = decoder.describe()
        return pb.GetModelResponse(
            name=model.name,
            digest=model.digest,
            context_length=model.context_length,
            backend=model.backend,
            ready=decoder.ready,
        )

    async def ListAdapters(
        self, request: pb.ListAdaptersRequest, context: Context[pb.ListAdaptersRequest, pb.ListAdaptersResponse]
    ) -> pb.ListAdaptersResponse:
        listing = await asyncio.to_thread(self._adapters.list)  # a damaged one is left out, and said to be in the log
        return pb.ListAdaptersResponse(adapters=[_adapter_to(manifest) for manifest in listing.adapters])

    @property
    def _language(self) -> Language:
        if self._optional_language is None:
            raise LanguageOff
        return self._optional_language


def _adapter_to(manifest: Manifest) -> pb.Adapter:
    return pb.Adapter(
        name=manifest.name,
        digest=manifest.digest,
        base_model_digest=manifest.base_model_digest,
        prototype=levels_to(manifest.prototype),
        scale=manifest.scale,
        rank=manifest.rank,
    )


async def _spoken(
    language: Language, generation: GenerationRequest, respond: type[Response]
) -> AsyncGenerator[Response, None]:
    """The reply from its first piece on, in responses of one rpc; leaving it early stops the decoding."""
    async with aclosing(language.decoder.generate(generation)) as events:
        async for event in events:
            match event:
                case Started():
                    pass
                case Text():
                    yield respond(text=text_to(event))
                case Finished():
                    yield respond(finished=finished_to(event, generation, language.decoder.describe()))


def expression_of(moment: Moment) -> Expression:
    """The way a session speaks at a moment."""
    return _express(moment.agent, moment.levels, moment.label)


def _explicit(agent: Agent, chemistry: engine_pb2.Chemistry, path: str) -> Expression:
    levels = levels_from(chemistry)
    check_levels(levels, path)
    return _express(agent, levels, 0)


def _express(agent: Agent, levels: Vector4, held_label: int) -> Expression:
    return express(levels, agent.dynamics.baseline, agent.expression, held_label)
