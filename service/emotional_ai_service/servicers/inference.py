"""The Inference service."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from functools import partial
from typing import TypeVar

from emotional_ai.v1 import engine_pb2, inference_pb2_grpc
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai_service.core.errors import InvalidInput
from emotional_ai_service.core.timeline import Happened, Moment
from emotional_ai_service.decoding import Finished, GenerationRequest, Message, Role, Started, Text
from emotional_ai_service.decoding.messages import Voice, VoiceChange
from emotional_ai_service.engine import Engine
from emotional_ai_service.errors import InvalidRequest, LanguageOff, ModelUnavailable, Violation
from emotional_ai_service.following import Pace, follow
from emotional_ai_service.guard import Context
from emotional_ai_service.language import Language
from emotional_ai_service.repertoire import NOTHING, AdapterSource, Repertoire
from emotional_ai_service.safeguard import Oversight, Restraint
from emotional_ai_service.servicers.length import check_length
from emotional_ai_service.servicers.manner import (
    Manner,
    Outright,
    check_policy,
    check_schedule,
    expression_of,
    outright,
)
from emotional_ai_service.servicers.speech import (
    appraisal_to,
    expression_to,
    finished_to,
    messages_from,
    said_by_person,
    seed_of,
    text_to,
)
from emotional_ai_service.servicers.voices import MODES, change_to
from emotional_ai_service.session import Intent
from emotional_ai_service.tenants import Engines
from emotional_ai_service.wire import agent_from, levels_to, signals_to
from emotional_ai_training.adapters import Manifest, Registry

Response = TypeVar("Response", pb.ConverseResponse, pb.GenerateResponse)


class InferenceServicer(inference_pb2_grpc.InferenceServicer):
    """Serves the language side of each tenant's sessions, and the adapters of a registry.

    Without `language` expressions can be previewed, and adapters listed. `oversight` says what replies must keep to, `pace` how
    often one looks at the state of its session.
    """

    def __init__(
        self,
        engines: Engines,
        language: Language | None,
        adapters: Registry,
        oversight: Oversight,
        pace: Pace | None = None,
    ) -> None:
        self._engines = engines
        self._oversight = oversight
        self._optional_language = language
        self._adapters = AdapterSource(adapters, language)
        self._pace = pace or Pace()

    async def Converse(
        self, request: pb.ConverseRequest, context: Context[pb.ConverseRequest, pb.ConverseResponse]
    ) -> AsyncIterator[pb.ConverseResponse]:
        language, engine = self._language, self._engine
        check_policy(request.kv_policy, language.decoder.describe())
        async with engine.watching(request.session_id) as (session, _):
            messages = (*messages_from(request.history), Message(Role.USER, request.text))
            await check_length(language, messages, request.sampling)
            said_before = said_by_person(request.history)
            try:
                (appraisal,) = await language.appraise([request.text], said_before)
            except InvalidRequest as error:
                raise InvalidRequest([Violation("text", v.description) for v in error.violations]) from error
            restraint = await self._oversight.restrain(request.session_id, request.text, said_before)
            with_adapters, there = self._manner(request, restraint), NOTHING
            heard = Happened(appraisal.signals)
            foreseen = session.foresee(heard, engine.clock())
            # A prompt that cannot be put to the model is refused before the session has heard it; a model that is away
            # is no reason not to hear.
            away: ModelUnavailable | None = None
            try:
                there = await self._adapters.admitted(lambda there: with_adapters(there).generation(messages, foreseen))
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
        manner = with_adapters(there)
        disclosure = self._oversight.disclosure(request.session_id, restraint)
        yield pb.ConverseResponse(started=manner.started(moment, disclosure))
        voices = None if request.fixed_blend else self._voices(manner, moment)
        async with aclosing(
            _spoken(language, manner.generation(messages, moment), pb.ConverseResponse, voices)
        ) as responses:
            async for response in responses:
                yield response

    async def Generate(
        self, request: pb.GenerateRequest, context: Context[pb.GenerateRequest, pb.GenerateResponse]
    ) -> AsyncIterator[pb.GenerateResponse]:
        language = self._language
        check_policy(request.kv_policy, language.decoder.describe())
        voices: AsyncGenerator[Voice, None] | None = None
        if request.HasField("explicit"):
            generation, started = await self._explicit(request, await self._restraint(request))
        else:
            session = await self._engine.session(request.session_id)
            moment, messages = await session.read(self._engine.clock()), messages_from(request.messages)
            restraint = await self._restraint(request)
            with_adapters = self._manner(request, restraint)
            there = await self._adapters.admitted(lambda there: with_adapters(there).generation(messages, moment))
            manner = with_adapters(there)
            generation = manner.generation(messages, moment)
            started = manner.started(moment, self._oversight.disclosure(request.session_id, restraint))
            voices = None if request.fixed_blend else self._voices(manner, moment)
        yield pb.GenerateResponse(started=started)
        async with aclosing(_spoken(language, generation, pb.GenerateResponse, voices)) as responses:
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
        there = await self._adapters.repertoire()
        if request.HasField("session_id"):
            if request.HasField("config"):
                raise InvalidInput("config", "must be unset with a session, which has its own")
            session = await self._engine.session(request.session_id)
            expression = expression_of(await session.read(self._engine.clock()), there)
        else:
            expression = outright(agent_from(request.config), request.chemistry, "chemistry", there)
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
            dtype=model.dtype,
            blend_modes=[MODES[mode] for mode in model.modes],
            follows=model.follows,
            layers=model.layers,
        )

    async def GetLoad(
        self, request: pb.GetLoadRequest, context: Context[pb.GetLoadRequest, pb.GetLoadResponse]
    ) -> pb.GetLoadResponse:
        load, understood = self._language.decoder.load(), self._language.understood
        return pb.GetLoadResponse(
            running=load.running,
            waiting=load.waiting,
            capacity=load.capacity,
            appraised=understood.appraised,
            classified=understood.classified,
        )

    async def ListAdapters(
        self, request: pb.ListAdaptersRequest, context: Context[pb.ListAdaptersRequest, pb.ListAdaptersResponse]
    ) -> pb.ListAdaptersResponse:
        # A damaged one is left out, and said to be in the log.
        return pb.ListAdaptersResponse(adapters=[_adapter_to(*one) for one in await self._adapters.adapters()])

    @property
    def _engine(self) -> Engine:
        """The caller's."""
        return self._engines.mine()

    @property
    def _language(self) -> Language:
        if self._optional_language is None:
            raise LanguageOff
        return self._optional_language

    async def _restraint(self, request: pb.GenerateRequest) -> Restraint:
        """What the reply to the last message of the person must keep to."""
        *earlier, last = said_by_person(request.messages) or [""]
        return await self._oversight.restrain(request.session_id, last, earlier)

    def _manner(
        self, request: pb.ConverseRequest | pb.GenerateRequest, restraint: Restraint
    ) -> Callable[[Repertoire], Manner]:
        """How a reply under a session is to be spoken, but for the adapters; the seed is drawn now."""
        sampling = request.sampling
        seed = seed_of(sampling)
        return partial(Manner, request.session_id, sampling, seed, request.kv_policy, restraint, self._adapters)

    def _voices(self, manner: Manner, moment: Moment) -> AsyncGenerator[Voice, None] | None:
        """How the session's state goes on from `moment`; None where the decoder does not follow."""
        if not self._language.decoder.describe().follows:
            return None
        return follow(self._engine, manner.session_id, manner, manner.voice(moment), self._pace)

    async def _explicit(
        self, request: pb.GenerateRequest, restraint: Restraint
    ) -> tuple[GenerationRequest, pb.ReplyStarted]:
        """What is asked of the decoder, which takes it on, for an expression given outright; and how the reply begins."""
        explicit, manner = request.explicit, Outright(request, seed_of(request.sampling), restraint)
        check_schedule(manner.schedule, self._language.decoder.describe())
        if explicit.blend or explicit.schedule:
            there = await self._adapters.repertoire()
            await self._language.admit(manner.generation(there))
        else:
            there = await self._adapters.admitted(manner.generation)
        return manner.generation(there), manner.started(there, self._oversight.disclosure("", restraint))


def _adapter_to(manifest: Manifest, refused: str) -> pb.Adapter:
    return pb.Adapter(
        name=manifest.name,
        digest=manifest.digest,
        base_model_digest=manifest.base_model_digest,
        prototype=levels_to(manifest.prototype),
        scale=manifest.scale,
        rank=manifest.rank,
        scale_calibrated=manifest.scale_calibrated,
        base_model=manifest.base_model,
        refused=refused,
        metrics=manifest.metrics,
    )


async def _spoken(
    language: Language,
    generation: GenerationRequest,
    respond: type[Response],
    voices: AsyncGenerator[Voice, None] | None,
) -> AsyncGenerator[Response, None]:
    """The reply from its first piece on, in responses of one rpc; leaving it early stops the decoding and the following."""
    async with AsyncExitStack() as stack:
        if voices is not None:
            await stack.enter_async_context(aclosing(voices))  # outermost: the decoder lets go of them first
        events = await stack.enter_async_context(aclosing(language.speak(generation, voices)))
        async for event in events:
            match event:
                case Started():
                    pass
                case Text():
                    yield respond(text=text_to(event))
                case VoiceChange():
                    yield respond(blend_change=change_to(event))
                case Finished():
                    yield respond(finished=finished_to(event, generation, language.decoder.describe()))
