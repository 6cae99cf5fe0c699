"""The HTTP side: routes of the Tinker API 0.38 under /api/v1.

Work that takes time is promised at once and fetched by retrieve_future, which waits up to 40 s for it. What fails while it
is computed is a failed promise; what can be told at once is 400, 401, 404 or 429. Nothing is answered 5xx: the SDK would
try again for ever.
"""

from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp
from tinker import types

from emotional_ai_training.tinker_server.access import FILES, PREFIX, KeyRequired, failed, no_such_route, refused
from emotional_ai_training.tinker_server.bodies import Endpoint, json_object, parsed, raw, typed
from emotional_ai_training.tinker_server.errors import InvalidRequest, TinkerServerError, UnknownName
from emotional_ai_training.tinker_server.names import CheckpointPath, parse_path
from emotional_ai_training.tinker_server.service import Service

LONG_POLL_SECONDS: Final = 40.0
"""The SDK gives up on a poll after 45."""
CHECKPOINT: Final = "/training_runs/{run}/checkpoints/{kind}/{name}"


def application(service: Service) -> ASGIApp:
    """What a web server runs."""
    groups = (_Clients(service), _Work(service), _Stored(service))
    routes = [route for group in groups for route in group.routes()]
    handlers = {TinkerServerError: refused, HTTPException: no_such_route, Exception: failed}
    return KeyRequired(Starlette(routes=routes, exception_handlers=handlers), service.settings.key)


class _Clients:
    """Configuration, sessions, health."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        return [
            _post("/client/config", self._configuration),
            _post("/client/dynamic_config", self._dynamic_configuration),
            _post("/create_session", self._create),
            _post("/session_heartbeat", self._heartbeat),
            _post("/sessions/{session}/finish", self._finish),
            _post("/telemetry", self._telemetry),
            _get("/healthz", self._health),
            _get("/get_server_capabilities", self._capabilities),
        ]

    async def _configuration(self, _: Request) -> Response:
        return JSONResponse(
            {
                "pjwt_auth_enabled": False,
                "parallel_fwdbwd_chunks": False,
                "proto_compress_fwdbwd": False,
                "sample_max_concurrent_requests": self._service.settings.max_queue,
            }
        )

    async def _dynamic_configuration(self, _: Request) -> Response:
        return JSONResponse({})

    async def _create(self, _: Request) -> Response:
        return JSONResponse({"type": "create_session", "session_id": self._service.sessions.create()})

    async def _heartbeat(self, request: Request) -> Response:
        asked = await parsed(request, types.SessionHeartbeatRequest)
        try:
            self._service.sessions.seen(asked.session_id)
        except UnknownName as error:
            # Gone: the SDK stops its heartbeat for a session that has ended.
            return JSONResponse({"error": str(error)}, status_code=410)
        return JSONResponse({"type": "session_heartbeat"})

    async def _finish(self, request: Request) -> Response:
        self._service.end_session(request.path_params["session"])
        return Response(status_code=204)

    async def _telemetry(self, _: Request) -> Response:
        return JSONResponse({"status": "accepted"})

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _capabilities(self, _: Request) -> Response:
        base = self._service.engine.base
        served = {"model_name": base.name, "max_context_length": base.context_length}
        return JSONResponse({"supported_models": [{**served, "trainable": True, "sampleable": True}]})


class _Work:
    """Training and sampling: promises, and fetching what was promised."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        training, samplers = self._service.training, self._service.samplers
        return [
            _post("/create_model", typed(types.CreateModelRequest, training.create)),
            _post("/get_info", typed(types.GetInfoRequest, training.info)),
            _post("/forward_backward", self._forward_backward),
            _post("/optim_step", typed(types.OptimStepRequest, training.optim_step, training.refuse_step)),
            _post("/save_weights", typed(types.SaveWeightsRequest, training.save, training.refuse)),
            _post("/load_weights", typed(types.LoadWeightsRequest, training.load, training.refuse)),
            _post(
                "/save_weights_for_sampler",
                typed(types.SaveWeightsForSamplerRequest, training.save_for_sampler, training.refuse),
            ),
            _post(
                "/save_weights_external",
                typed(types.SaveWeightsExternalRequest, training.save_external, training.refuse),
            ),
            _post("/create_sampling_session", typed(types.CreateSamplingSessionRequest, samplers.create)),
            _post("/asample", typed(types.SampleRequest, samplers.sample)),
            _get("/samplers/{sampler}", self._sampler),
            _post("/retrieve_future", self._retrieve),
        ]

    async def _forward_backward(self, request: Request) -> Response:
        return JSONResponse(self._service.training.forward_backward(await raw(request)))

    async def _sampler(self, request: Request) -> Response:
        return JSONResponse(self._service.samplers.describe(request.path_params["sampler"]))

    async def _retrieve(self, request: Request) -> Response:
        asked = await parsed(request, types.FutureRetrieveRequest)
        try:
            reply = await self._service.desk.futures.wait(asked.request_id, LONG_POLL_SECONDS)
        except KeyError:
            gone = f"request {asked.request_id[:120]} is not known here: the server was restarted, or it is too old"
            # Not the caller's doing: who rebuilds its client from the last state goes on.
            return JSONResponse({"error": gone, "category": "server"})
        if reply is None:
            return JSONResponse({"type": "try_again", "request_id": asked.request_id, "queue_state": "active"})
        return Response(reply.body, media_type=reply.media_type)


class _Stored:
    """Runs, checkpoints and files on disk."""

    def __init__(self, service: Service) -> None:
        self._archive = service.archive

    def routes(self) -> list[Route]:
        return [
            _get("/training_runs", self._runs),
            _get("/training_runs/{run}", self._run),
            _get("/training_runs/{run}/checkpoints", self._checkpoints),
            _get("/checkpoints", self._all_checkpoints),
            _post("/weights_info", self._weights_info),
            _get(f"{CHECKPOINT}/external_weights_urls", self._links),
            Route(f"{PREFIX}{CHECKPOINT}", self._delete, methods=["DELETE"]),
            Route(f"{PREFIX}{CHECKPOINT}/ttl", self._set_ttl, methods=["PUT"]),
            Route(f"{FILES}/{{run}}/{{name}}/{{file}}", self._file, methods=["GET"]),
        ]

    async def _runs(self, request: Request) -> Response:
        return JSONResponse(self._archive.runs(*_window(request)))

    async def _run(self, request: Request) -> Response:
        return JSONResponse(self._archive.run(request.path_params["run"]))

    async def _checkpoints(self, request: Request) -> Response:
        return JSONResponse(self._archive.checkpoints(request.path_params["run"]))

    async def _all_checkpoints(self, request: Request) -> Response:
        return JSONResponse(self._archive.all_checkpoints(*_window(request)))

    async def _weights_info(self, request: Request) -> Response:
        path = (await json_object(request)).get("tinker_path")
        return JSONResponse(self._archive.weights_info(parse_path(str(path))))

    async def _links(self, request: Request) -> Response:
        return JSONResponse(self._archive.links(_path_of(request), str(request.base_url).rstrip("/")))

    async def _delete(self, request: Request) -> Response:
        self._archive.delete(_path_of(request))
        return Response(status_code=204)

    async def _set_ttl(self, request: Request) -> Response:
        seconds = (await json_object(request)).get("ttl_seconds")
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


def _post(path: str, endpoint: Endpoint) -> Route:
    return Route(f"{PREFIX}{path}", endpoint, methods=["POST"])


def _get(path: str, endpoint: Endpoint) -> Route:
    return Route(f"{PREFIX}{path}", endpoint, methods=["GET"])


def _window(request: Request) -> tuple[int, int]:
    try:
        return int(request.query_params.get("limit", "100")), int(request.query_params.get("offset", "0"))
    except ValueError as error:
        raise InvalidRequest("limit and offset must be whole numbers") from error


def _path_of(request: Request) -> CheckpointPath:
    parts = request.path_params
    return parse_path(f"tinker://{parts['run']}/{parts['kind']}/{parts['name']}")
