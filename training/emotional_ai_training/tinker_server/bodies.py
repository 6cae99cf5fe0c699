"""Bodies of requests: bounded, decompressed, and parsed as the SDK's own types."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import zstandard
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from emotional_ai_training.tinker_server.errors import InvalidRequest

MAX_BODY: Final = 64 * 2**20
LONGEST_TOLD: Final = 500

Content = dict[str, object]
Model = TypeVar("Model", bound=BaseModel)
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Turn:
    """The place of a request among those of its model; without a number, the next one."""

    model_id: str
    seq_id: int | None = None


_TURN: Final = TypeAdapter(Turn)
Refuse = Callable[[Turn, InvalidRequest], Content]


def typed(model: type[Model], handle: Callable[[Model], Content], refuse: Refuse | None = None) -> Endpoint:
    """An endpoint that reads its body as `model` and answers what `handle` makes of it.

    With `refuse`, a body that does not fit but names its turn is answered what `refuse` makes of the reason.
    """

    async def endpoint(request: Request) -> Response:
        body = await json_object(request)
        try:
            asked = _fitted(body, model)
        except InvalidRequest as error:
            turn = _turn_of(body)
            if refuse is None or turn is None:
                raise
            return JSONResponse(refuse(turn, error))
        return JSONResponse(handle(asked))

    return endpoint


async def parsed(request: Request, model: type[Model]) -> Model:
    """The body as `model`; InvalidRequest names the fields that do not fit."""
    return _fitted(await json_object(request), model)


def _fitted(body: Content, model: type[Model]) -> Model:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5])
        raise InvalidRequest(f"the body is no {model.__name__}: {problems}") from error


def _turn_of(body: Content) -> Turn | None:
    try:
        return _TURN.validate_python(body)
    except ValidationError:
        return None


async def json_object(request: Request) -> Content:
    """The body as a JSON object; InvalidRequest where it is none."""
    body = await raw(request)
    try:
        found = json.loads(body.decode(), parse_constant=_no_number)
        if b"\\u" in body:
            json.dumps(found, ensure_ascii=False).encode()  # half a character could not be answered
    except RecursionError as error:
        raise InvalidRequest("the body is nested too deep") from error
    except ValueError as error:
        raise InvalidRequest(f"the body is no JSON: {error}"[:LONGEST_TOLD]) from error
    if not isinstance(found, dict):
        raise InvalidRequest("the body is no JSON object")
    return found


async def raw(request: Request) -> bytes:
    """The body, decompressed where it says so; InvalidRequest beyond MAX_BODY bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise InvalidRequest(f"the body has more than {MAX_BODY} bytes")
    if request.headers.get("content-encoding") != "zstd":
        return bytes(body)
    try:
        # Read as a stream: a frame says itself how large it is, and would be given as much memory.
        with zstandard.ZstdDecompressor(max_window_size=MAX_BODY).stream_reader(bytes(body)) as unpacking:
            unpacked: bytes = unpacking.read(MAX_BODY + 1)
    except zstandard.ZstdError as error:
        raise InvalidRequest(f"the body is no zstd: {error}") from error
    if len(unpacked) > MAX_BODY:
        raise InvalidRequest(f"the body has more than {MAX_BODY} bytes, unpacked")
    return unpacked


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")
