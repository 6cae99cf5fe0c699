"""The HTTP side: routes of the Tinker API 0.38 under /api/v1, the key, and errors as statuses.

Work that takes time is promised at once and fetched by retrieve_future, which waits up to 40 s for it. What fails while it
is computed is a failed promise; what can be told at once is 400, 401, 404 or 429. Nothing is answered 5xx: the SDK would
try again for ever.
"""

import asyncio
import contextlib
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final, TypeVar

import zstandard
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from tinker import types

from emotional_ai_training.tinker_server.archive import Archive
from emotional_ai_training.tinker_server.compute import Compute
from emotional_ai_training.tinker_server.desk import Desk
from emotional_ai_training.tinker_server.engine import Engine
from emotional_ai_training.tinker_server.errors import (
    Busy,
    InvalidRequest,
    TinkerServerError,
    Unauthenticated,
    UnknownName,
)
from emotional_ai_training.tinker_server.futures import Futures
from emotional_ai_training.tinker_server.names import CheckpointPath, parse_path
from emotional_ai_training.tinker_server.sampling import Samplers
from emotional_ai_training.tinker_server.sessions import Sessions
from emotional_ai_training.tinker_server.settings import ServerSettings
from emotional_ai_training.tinker_server.training import Training

PREFIX: Final = "/api/v1"
LONG_POLL_SECONDS: Final = 40.0
MAX_BODY: Final = 64 * 2**20
SWEEP_SECONDS: Final = 5.0
SILENT_SECONDS: Final = 3600.0
"""A session whose client was not heard of for so long is ended."""
STATUSES: Final[Mapping[type[TinkerServerError], int]] = {
    InvalidRequest: 400,
    Unauthenticated: 401,
    UnknownName: 404,
    Busy: 429,
}

log = logging.getLogger(__name__)
Content = dict[str, object]
Model = TypeVar("Model", bound=BaseModel)


class Application:
    """The routes over an engine; `asgi` is what a web server runs."""

    def __init__(self, engine: Engine, settings: ServerSettings) -> None:
        self._engine = engine
        self._settings = settings
        self._desk: Desk
        self._sessions: Sessions
        self._samplers: Samplers
        self._training: Training
        self._archive: Archive
        app = Starlette(
            routes=self._routes(),
            lifespan=self._lifespan,
            exception_handlers={TinkerServerError: _refused, HTTPException: _no_such_route, Exception: _failed},
        )
        self.asgi: ASGIApp = _KeyRequired(app, settings.key)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        compute = Compute(lambda weights, asked: self._engine.sample(weights, asked, self._desk.now()))
        self._desk = Desk(self._engine, compute, Futures(time.monotonic), self._settings.max_queue)
        self._sessions = Sessions(time.monotonic)
        self._samplers = Samplers(self._desk, self._sessions)
        self._training = Training(self._desk, self._sessions, self._samplers, self._settings.max_runs)
        self._archive = Archive(self._engine.store, self._desk.now)
        self._engine.store.forget_ephemeral()
        compute.start()
        sweeper = asyncio.create_task(self._sweep())
        try:
            yield
        finally:
            sweeper.cancel()
            await asyncio.to_thread(compute.stop)

    def _routes(self) -> list[Route]:
        run, one = "/training_runs/{run}", "/training_runs/{run}/checkpoints/{kind}/{name}"
        posts: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/client/config": self._client_config,
            "/client/dynamic_config": self._dynamic_config,
            "/create_session": self._create_session,
            "/session_heartbeat": self._heartbeat,
            "/sessions/{session}/finish": self._finish,
            "/telemetry": self._telemetry,
            "/create_model": _typed(types.CreateModelRequest, lambda asked: self._training.create(asked)),
            "/get_info": _typed(types.GetInfoRequest, lambda asked: self._training.info(asked)),
            "/forward_backward": self._forward_backward,
            "/optim_step": _typed(types.OptimStepRequest, lambda asked: self._training.optim_step(asked)),
            "/save_weights": _typed(types.SaveWeightsRequest, lambda asked: self._training.save(asked)),
            "/load_weights": _typed(types.LoadWeightsRequest, lambda asked: self._training.load(asked)),
            "/save_weights_for_sampler": _typed(
                types.SaveWeightsForSamplerRequest, lambda asked: self._training.save_for_sampler(asked)
            ),
            "/save_weights_external": _typed(
                types.SaveWeightsExternalRequest, lambda asked: self._training.save_external(asked)
            ),
            "/create_sampling_session": _typed(
                types.CreateSamplingSessionRequest, lambda asked: self._samplers.create(asked)
            ),
            "/asample": _typed(types.SampleRequest, lambda asked: self._samplers.sample(asked)),
            "/retrieve_future": self._retrieve,
            "/weights_info": self._weights_info,
        }
        gets: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/healthz": self._health,
            "/get_server_capabilities": self._capabilities,
            "/samplers/{sampler}": self._sampler,
            "/training_runs": self._runs,
            run: self._run,
            f"{run}/checkpoints": self._checkpoints,
            "/checkpoints": self._all_checkpoints,
            f"{one}/external_weights_urls": self._links,
        }
        return [
            *(Route(PREFIX + path, endpoint, methods=["POST"]) for path, endpoint in posts.items()),
            *(Route(PREFIX + path, endpoint, methods=["GET"]) for path, endpoint in gets.items()),
            Route(PREFIX + one, self._delete, methods=["DELETE"]),
            Route(f"{PREFIX}{one}/ttl", self._ttl, methods=["PUT"]),
            Route("/files/{run}/{name}/{file}", self._file, methods=["GET"]),
        ]

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._desk.fail_overdue()
            for session_id in self._sessions.silent(SILENT_SECONDS):
                self._end_session(session_id)

    def _end_session(self, session_id: str) -> None:
        self._samplers.drop(session_id)
        for run_id in self._sessions.finish(session_id):
            self._desk.end_turns(run_id)
            self._desk.forget(run_id)

    async def _client_config(self, _: Request) -> Response:
        return JSONResponse(
            {
                "pjwt_auth_enabled": False,
                "parallel_fwdbwd_chunks": False,
                "proto_compress_fwdbwd": False,
                "sample_max_concurrent_requests": self._settings.max_queue,
            }
        )

    async def _dynamic_config(self, _: Request) -> Response:
        return JSONResponse({})

    async def _create_session(self, _: Request) -> Response:
        return JSONResponse({"type": "create_session", "session_id": self._sessions.create()})

    async def _heartbeat(self, request: Request) -> Response:
        asked = await _parsed(request, types.SessionHeartbeatRequest)
        try:
            self._sessions.seen(asked.session_id)
        except UnknownName as error:
            # Gone: the SDK stops its heartbeat for a session that has ended.
            return JSONResponse({"error": str(error)}, status_code=410)
        return JSONResponse({"type": "session_heartbeat"})

    async def _finish(self, request: Request) -> Response:
        self._end_session(request.path_params["session"])
        return Response(status_code=204)

    async def _telemetry(self, _: Request) -> Response:
        return JSONResponse({"status": "accepted"})

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _capabilities(self, _: Request) -> Response:
        base = self._engine.base
        served = {
            "model_name": base.name,
            "max_context_length": base.context_length,
            "trainable": True,
            "sampleable": True,
        }
        return JSONResponse({"supported_models": [served]})

    async def _forward_backward(self, request: Request) -> Response:
        body = await _body(request)
        if request.headers.get("content-encoding") == "zstd":
            try:
                body = zstandard.ZstdDecompressor().decompress(body, max_output_size=MAX_BODY)
            except zstandard.ZstdError as error:
                raise InvalidRequest(f"the body is not zstd: {error}") from error
        return JSONResponse(self._training.forward_backward(body))

    async def _retrieve(self, request: Request) -> Response:
        asked = await _parsed(request, types.FutureRetrieveRequest)
        try:
            reply = await self._desk.futures.wait(asked.request_id, LONG_POLL_SECONDS)
        except KeyError:
            gone = f"request {asked.request_id[:120]} is not known here: the server was restarted, or it is too old"
            return JSONResponse({"error": gone, "category": "user"})
        if reply is None:
            return JSONResponse({"type": "try_again", "request_id": asked.request_id, "queue_state": "active"})
        return Response(reply.body, media_type=reply.media_type)

    async def _sampler(self, request: Request) -> Response:
        return JSONResponse(self._samplers.describe(request.path_params["sampler"]))

    async def _runs(self, request: Request) -> Response:
        return JSONResponse(self._archive.runs(*_window(request)))

    async def _run(self, request: Request) -> Response:
        return JSONResponse(self._archive.run(request.path_params["run"]))

    async def _checkpoints(self, request: Request) -> Response:
        return JSONResponse(self._archive.checkpoints(request.path_params["run"]))

    async def _all_checkpoints(self, request: Request) -> Response:
        return JSONResponse(self._archive.all_checkpoints(*_window(request)))

    async def _weights_info(self, request: Request) -> Response:
        path = (await _json(request)).get("tinker_path")
        return JSONResponse(self._archive.weights_info(parse_path(str(path))))

    async def _links(self, request: Request) -> Response:
        return JSONResponse(self._archive.links(_path_of(request), str(request.base_url).rstrip("/")))

    async def _delete(self, request: Request) -> Response:
        self._archive.delete(_path_of(request))
        return Response(status_code=204)

    async def _ttl(self, request: Request) -> Response:
        seconds = (await _json(request)).get("ttl_seconds")
        if seconds is not None and not isinstance(seconds, int):
            raise InvalidRequest("ttl_seconds must be a whole number, or null")
        self._archive.set_ttl(_path_of(request), seconds)
        return Response(status_code=204)

    async def _file(self, request: Request) -> Response:
        query, parts = request.query_params, request.path_params
        expires, signature = query.get("expires", ""), query.get("signature", "")
        found = self._archive.file(parts["run"], parts["name"], parts["file"], expires, signature)
        if isinstance(found, bytes):
            return Response(found, media_type="application/json")
        return FileResponse(found, media_type="application/octet-stream", filename=parts["file"])


class _KeyRequired:
    """Lets requests under /api/v1 pass with the key alone; only the health check and signed files need none."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app = app
        self._key = key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._open(scope) or self._known(scope):
            await self._app(scope, receive, send)
            return
        message = (
            "X-API-Key is missing or not this server's key; set TINKER_API_KEY to the key it printed when it started"
        )
        await JSONResponse({"error": message}, status_code=401)(scope, receive, send)

    def _open(self, scope: Scope) -> bool:
        path: str = scope["path"]
        return path == f"{PREFIX}/healthz" or path.startswith("/files/")

    def _known(self, scope: Scope) -> bool:
        sent = dict(scope["headers"]).get(b"x-api-key", b"")
        return hmac.compare_digest(sent, self._key)


def _typed(model: type[Model], handle: Callable[[Model], Content]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that parses its body as the SDK's own request type."""

    async def endpoint(request: Request) -> Response:
        return JSONResponse(handle(await _parsed(request, model)))

    return endpoint


async def _parsed(request: Request, model: type[Model]) -> Model:
    try:
        return model.model_validate(await _json(request))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5])
        raise InvalidRequest(f"the body is no {model.__name__}: {problems}") from error


async def _json(request: Request) -> Content:
    try:
        found = json.loads(await _body(request))
    except ValueError as error:
        raise InvalidRequest(f"the body is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidRequest("the body is no JSON object")
    return found


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise InvalidRequest(f"the body has more than {MAX_BODY} bytes")
    return bytes(body)


def _window(request: Request) -> tuple[int, int]:
    try:
        return int(request.query_params.get("limit", "100")), int(request.query_params.get("offset", "0"))
    except ValueError as error:
        raise InvalidRequest("limit and offset must be whole numbers") from error


def _path_of(request: Request) -> CheckpointPath:
    parts = request.path_params
    return parse_path(f"tinker://{parts['run']}/{parts['kind']}/{parts['name']}")


async def _refused(_: Request, error: Exception) -> Response:
    status = next(status for kind, status in STATUSES.items() if isinstance(error, kind))
    headers = {"Retry-After": "1"} if status == 429 else {}
    return JSONResponse({"error": str(error)}, status_code=status, headers=headers)


async def _no_such_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    message = f"{request.method} {request.url.path} is not served here"
    return JSONResponse({"error": message}, status_code=status)


async def _failed(request: Request, error: Exception) -> Response:
    # Starlette logs the traceback; 400 because the SDK would repeat a 5xx for ever.
    return JSONResponse({"error": f"the server failed: {type(error).__name__}"}, status_code=400)
