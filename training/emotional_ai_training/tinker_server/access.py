"""Who may come in, and how what goes wrong is told."""

import hmac
from collections.abc import Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from emotional_ai_training.tinker_server.errors import (
    Busy,
    InvalidRequest,
    TinkerServerError,
    Unauthenticated,
    UnknownName,
)

PREFIX: Final = "/api/v1"
FILES: Final = "/files"
STATUSES: Final[Mapping[type[TinkerServerError], int]] = {
    InvalidRequest: 400,
    Unauthenticated: 401,
    UnknownName: 404,
    Busy: 429,
}
NO_KEY: Final = (
    "X-API-Key is missing or not this server's key; set TINKER_API_KEY to the key it printed when it started"
)


class KeyRequired:
    """Lets requests pass with the key alone; only the health check and signed files need none."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app = app
        self._key = key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._open(scope["path"]) or self._known(scope):
            await self._app(scope, receive, send)
        else:
            await JSONResponse({"error": NO_KEY}, status_code=401)(scope, receive, send)

    def _open(self, path: str) -> bool:
        return path == f"{PREFIX}/healthz" or path.startswith(f"{FILES}/")

    def _known(self, scope: Scope) -> bool:
        sent = dict(scope["headers"]).get(b"x-api-key", b"")
        return hmac.compare_digest(sent, self._key)


async def refused(_: Request, error: Exception) -> Response:
    """Our own errors, by the table above."""
    status = next(status for kind, status in STATUSES.items() if isinstance(error, kind))
    return JSONResponse({"error": str(error)}, status, {"Retry-After": "1"} if status == 429 else None)


async def no_such_route(request: Request, error: Exception) -> Response:
    """Calls of the API that are not served."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    return JSONResponse({"error": f"{request.method} {request.url.path} is not served here"}, status)


async def failed(_: Request, error: Exception) -> Response:
    """A bug: its traceback goes to the log. 400, because the SDK repeats every 5xx for ever."""
    return JSONResponse({"error": f"the server failed: {type(error).__name__}"}, 400)
