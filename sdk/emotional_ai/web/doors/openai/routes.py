"""The routes: what of OpenAI's API is served here, and by what."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from emotional_ai.aio import AsyncClient
from emotional_ai.errors import EmotionalAIError
from emotional_ai.names import DEFAULT_SESSION
from emotional_ai.web.doors.openai.bodies import body_of, object_of
from emotional_ai.web.doors.openai.completion import Chunk, Completion, chunks, completion
from emotional_ai.web.doors.openai.event_stream import EventStream, events
from emotional_ai.web.doors.openai.hanging_up import HungUp, unless_hung_up
from emotional_ai.web.doors.openai.model_list import model, models
from emotional_ai.web.doors.openai.refusals import HUNG_UP, Problem, Refused, answered, problem_of
from emotional_ai.web.doors.openai.retries import Retries
from emotional_ai.web.doors.openai.speaking import speaking
from emotional_ai.web.doors.openai.turn import Turn, turn_of

COMPLETIONS: Final = "/v1/chat/completions"
MODELS: Final = "/v1/models"
SERVED: Final = f"here there are POST {COMPLETIONS}, GET {MODELS} and GET {MODELS}/{{model}}"
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
ALLOWED: Final = {COMPLETIONS: "POST", MODELS: "GET, HEAD"}
"""Methods of the paths that are served."""

Endpoint = Callable[[Request], Awaitable[Response]]


def routes(client: AsyncClient, session: str = DEFAULT_SESSION) -> list[Route]:
    """Everything under /v1; `session` is the one that speaks where a request names none."""
    door = _Door(client, session)
    return [
        Route(COMPLETIONS, _told(door.complete), methods=["POST"]),
        Route(MODELS, _told(door.models), methods=["GET"]),
        Route(f"{MODELS}/{{model:path}}", _told(door.model), methods=["GET"]),
        Route("/v1/{path:path}", _not_served, methods=list(METHODS)),
    ]


class _Door:
    """Answers requests with the help of a service."""

    def __init__(self, client: AsyncClient, session: str) -> None:
        self._client = client
        self._session = session
        self._retries = Retries()

    async def complete(self, request: Request) -> Response:
        body = await body_of(request)
        turn = turn_of(object_of(body), self._session)
        request_id = self._retries.request_id(request, body)
        if turn.stream:
            return await self._streamed(request, turn, request_id)
        return answered({**await unless_hung_up(request.receive, self._whole(turn, request_id))})

    async def models(self, _: Request) -> Response:
        return answered({**await models(self._client, self._session)})

    async def model(self, request: Request) -> Response:
        return answered({**await model(self._client, request.path_params["model"], self._session)})

    async def _whole(self, turn: Turn, request_id: str) -> Completion:
        async with speaking(self._client, turn, request_id) as speech:
            return await completion(speech)

    async def _streamed(self, request: Request, turn: Turn, request_id: str) -> Response:
        """The stream, once its first word is there: what is wrong before is an answer with a status of its own."""
        stream = events(self._chunks(turn, request_id))
        return EventStream(await unless_hung_up(request.receive, _first(stream)), stream)

    async def _chunks(self, turn: Turn, request_id: str) -> AsyncGenerator[Chunk, None]:
        async with speaking(self._client, turn, request_id) as speech, aclosing(chunks(speech)) as pieces:
            async for piece in pieces:
                yield piece


async def _first(stream: AsyncGenerator[bytes, None]) -> bytes:
    return await anext(stream)


def _told(endpoint: Endpoint) -> Endpoint:
    """An endpoint whose errors are told as OpenAI tells them."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Refused as refused:
            return refused.problem.answer()
        except EmotionalAIError as error:
            return problem_of(error).answer()
        except (HungUp, ClientDisconnect):
            return Response(status_code=HUNG_UP)

    return answer


async def _not_served(request: Request) -> Response:
    path = request.url.path
    allowed = ALLOWED.get(path)
    words = f"{request.method} {path[:80]} is not served; {SERVED}"
    answer = Problem(words, 404 if allowed is None else 405, code="unknown_url").answer()
    if allowed is not None:
        answer.headers["allow"] = allowed
    return answer
