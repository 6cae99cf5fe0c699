"""Stands before the page and the doors: refuses who may not come in, lets a visitor give the token, adds headers."""

from html import escape
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emotional_ai.web.access import Access, Refusal
from emotional_ai.web.doors.openai.refusals import Problem

LOGIN: Final = "/login"
LONGEST_LOGIN: Final = 16_384
"""Bytes of a login."""
COOKIE_DAYS: Final = 30
OPENAI: Final = "/v1/"
"""Paths whose clients show what a refusal says if it is told as OpenAI tells it, and its number alone otherwise."""
CODES: Final = {401: "invalid_api_key", 403: "origin_not_allowed", 421: "unknown_host"}
POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # the page's templates are compiled in the browser
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
"""Nothing is loaded from, or sent to, anywhere else; nobody puts the page into a frame."""
POLICY_VIOLATED: Final = 1008
DENIAL: Final = "websocket.http.response"
"""Extension of a server that can answer the handshake of a websocket in words."""
ADDED: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Gate:
    """An ASGI application before another one. `port` is the one listened on: cookies of one host do not know ports."""

    def __init__(self, app: ASGIApp, access: Access, port: int) -> None:
        self.app = app
        self._access = access
        self._cookie = f"emotional-ai-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request, or refuses it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        answer = await self._answered(scope, receive)
        sent = _with_headers(send)
        if answer is None:
            await self.app(scope, receive, sent)
        elif scope["type"] == "http" or DENIAL in scope.get("extensions", ()):
            await answer(scope, receive, sent)
        else:
            await send({"type": "websocket.close", "code": POLICY_VIOLATED})  # 403, as nothing was accepted yet

    async def _answered(self, scope: Scope, receive: Receive) -> Response | None:
        """What the gate itself answers; None lets the request pass."""
        headers = _joined(scope)
        refused = self._access.refusal(scope.get("method", "GET"), headers)
        if refused is not None:
            return _refused(refused, scope)
        if self._access.token is None:
            return None
        if scope["type"] == "http" and (answer := await self._login(Request(scope, receive))) is not None:
            return answer
        if self._access.admits(headers, _cookie(headers, self._cookie)):
            return None
        return self._asked(headers, scope)

    async def _login(self, request: Request) -> Response | None:
        """Answers a visitor who gives the token, by the form or once in the address."""
        if request.url.path == LOGIN and request.method == "POST":
            given = dict(parse_qsl(await _form_body(request)))
            if self._access.knows(given.get("token", "")):
                return self._admitted(_local(given.get("next", "/")), request)
            return _form(given.get("next", "/"), wrong=True)
        if request.method == "GET" and "token" in request.query_params:
            rest = urlencode([pair for pair in request.query_params.multi_items() if pair[0] != "token"])
            where = request.url.path + (f"?{rest}" if rest else "")
            if self._access.knows(request.query_params["token"]):
                return self._admitted(_local(where), request)
            return _form(where, wrong=True)
        return None

    def _admitted(self, where: str, request: Request) -> Response:
        answer = RedirectResponse(where, status_code=303)
        answer.set_cookie(
            self._cookie,
            self._access.proof(),
            max_age=COOKIE_DAYS * 86_400,
            httponly=True,
            secure=_encrypted(request),
            samesite="strict",
        )
        return answer

    def _asked(self, headers: dict[str, str], scope: Scope) -> Response:
        if scope["type"] == "http" and scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            return _form(scope["path"], wrong=False)
        words = "a token is needed: send it as `Authorization: Bearer TOKEN`, or open this page in a browser"
        answer = _refused(Refusal(401, words), scope)
        answer.headers["www-authenticate"] = "Bearer"
        return answer


def _joined(scope: Scope) -> dict[str, str]:
    """Headers by name; those sent more than once as one list, which no rule takes for a single value."""
    every = Headers(scope=scope)
    return {name: ", ".join(every.getlist(name)) for name in set(every.keys())}


def _cookie(headers: dict[str, str], name: str) -> str | None:
    """Our cookie among those of the host: others, of other ports too, may be of any form."""
    pairs = (pair.strip().partition("=") for pair in headers.get("cookie", "").split(";"))
    return next((value for key, _, value in pairs if key == name), None)


async def _form_body(request: Request) -> str:
    """What a form sent, as far as a login can be that long: nobody has shown yet who may send more."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_LOGIN:
            return ""
    return body.decode(errors="replace")


def _encrypted(request: Request) -> bool:
    """Whether a browser came by https: to this server, or to a proxy before it, which the form's Origin tells."""
    return request.url.scheme == "https" or request.headers.get("origin", "").lower().startswith("https://")


def _local(where: str) -> str:
    """A path of this page; anything else leads to its beginning."""
    return where if where.startswith("/") and not where.startswith(("//", "/\\")) else "/"


def _refused(refusal: Refusal, scope: Scope) -> Response:
    if scope["path"].startswith(OPENAI):
        return Problem(refusal.words, refusal.status, code=CODES[refusal.status]).answer()
    return PlainTextResponse(refusal.words + "\n", refusal.status)


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            for name, value in ADDED.items():
                headers.setdefault(name, value)
        await send(message)

    return sent


def _form(where: str, *, wrong: bool) -> Response:
    said = '<p class="wrong" role="alert">That is not the token.</p>' if wrong else ""
    page = FORM.replace("WRONG", said).replace("NEXT", escape(where, quote=True))
    return HTMLResponse(page, 401, {"www-authenticate": "Bearer", "cache-control": "no-store"})


FORM: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Emotional AI</title>
<style>
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; display: grid; place-items: center; min-height: 90vh; margin: 0 16px; }
  form { display: grid; gap: 12px; width: min(360px, 100%); }
  h1 { font-size: 20px; font-weight: 600; margin: 0; }
  p { margin: 0; }
  input, button { font: inherit; padding: 10px 12px; border-radius: 8px; border: 1px solid #8888; }
  button { border: 0; background: #2f5d8a; color: #fff; cursor: pointer; }
  :focus-visible { outline: 2px solid #2f7fd1; outline-offset: 2px; }
</style></head>
<body><form method="post" action="/login">
  <h1>Emotional AI</h1>
  <p>This page asks for the token it was started with (<code>--token</code> or <code>EMOTIONAL_AI_WEB_TOKEN</code>).</p>
  WRONG
  <label for="token">Token</label>
  <input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
  <input type="hidden" name="next" value="NEXT">
  <button>Open</button>
</form></body></html>
"""
