"""A client of the server: what it serves, loading and unloading, and a completion as a stream of tokens.

Raises ServerSilent wherever the server does not answer, answers as no vLLM does, or breaks off.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from emotional_ai_service.decoding.vllm.errors import BlendRefused, NotServed, ServerSilent
from emotional_ai_service.decoding.vllm.settings import VllmSettings
from emotional_ai_service.workers import WorkerFault

CONNECT_SECONDS: Final = 5.0
_OK, _NOT_FOUND, _BAD, _BUSY = 200, 404, 400, 429
_STRANGE: Final = (ValueError, KeyError, TypeError, AttributeError)
"""What reading an answer of another form raises."""


@dataclass(frozen=True, slots=True)
class Served:
    """A name under which the server completes."""

    name: str
    root: str
    """Path of its weights."""
    context_length: int
    """0 for a blend."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Tokens of a reply as they come."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    """One per token if asked for, else none."""
    finish: str
    """Why the reply ended, in the server's word; empty while it goes on."""


class VllmServer:
    """One server. `close` after use."""

    def __init__(self, settings: VllmSettings) -> None:
        self._http = httpx.AsyncClient(
            base_url=settings.base_url,
            headers={"Authorization": f"Bearer {settings.api_key}"} if settings.api_key else {},
            timeout=httpx.Timeout(settings.silence_seconds, connect=CONNECT_SECONDS, pool=None),
            limits=httpx.Limits(max_connections=None),
            trust_env=False,
        )

    async def close(self) -> None:
        """Ends every request under way."""
        await self._http.aclose()

    async def healthy(self) -> bool:
        """Whether it answers and its engine lives."""
        try:
            return (await self._http.get("/health", timeout=CONNECT_SECONDS)).status_code == _OK
        except httpx.HTTPError:
            return False

    async def served(self) -> tuple[Served, ...]:
        """What it serves: the base model and the blends loaded."""
        answer = await self._ask("GET", "/v1/models")
        if answer.status_code != _OK:
            raise ServerSilent(f"would not say what it serves ({problem_of(answer)})")
        try:
            return tuple(
                Served(str(entry["id"]), str(entry.get("root")), int(entry.get("max_model_len") or 0))
                for entry in answer.json()["data"]
            )
        except _STRANGE as error:
            raise ServerSilent(
                f"does not say what it serves as vLLM does ({_keyless(answer, answer.text)[:200]})"
            ) from error

    async def loads(self) -> bool:
        """Whether it loads adapters while it runs; asked without loading any."""
        answer = await self._ask("POST", "/v1/load_lora_adapter", {"lora_name": "", "lora_path": ""})
        return answer.status_code == _BAD

    async def load(self, name: str, path: Path) -> None:
        """Loads the adapter at `path`; fine if it is loaded. Raises BlendRefused with the server's reason."""
        answer = await self._ask("POST", "/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(path)})
        if answer.status_code != _OK and "already been loaded" not in problem_of(answer):
            raise BlendRefused(problem_of(answer))

    async def unload(self, name: str) -> None:
        """Unloads it; fine if it is not there."""
        answer = await self._ask("POST", "/v1/unload_lora_adapter", {"lora_name": name})
        if answer.status_code not in (_OK, _NOT_FOUND):
            raise BlendRefused(problem_of(answer))

    async def refusal(self, body: dict[str, object]) -> str:
        """Why it takes a completion for a bad request; empty if it completes."""
        answer = await self._ask("POST", "/v1/completions", body)
        if answer.status_code not in (_OK, _BAD):
            raise ServerSilent(f"failed at the request ({problem_of(answer)})")
        return problem_of(answer) if answer.status_code == _BAD else ""

    @asynccontextmanager
    async def completing(self, body: dict[str, object]) -> AsyncIterator[AsyncGenerator[Piece, None]]:
        """A completion accepted by the server, piece by piece. Leaving the context early ends it there too.

        Raises NotServed if the server does not know the model, WorkerFault if it refuses the request.
        """
        try:
            async with self._http.stream("POST", "/v1/completions", json=body) as answer:
                if answer.status_code != _OK:
                    await answer.aread()
                    raise _refusal(answer)
                yield _pieces(answer)
        except httpx.HTTPError as error:
            raise ServerSilent(f"broke off ({type(error).__name__}: {error})") from error

    async def _ask(self, method: str, path: str, body: dict[str, object] | None = None) -> httpx.Response:
        try:
            return await self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise ServerSilent(f"does not answer ({type(error).__name__}: {error})") from error


def problem_of(answer: httpx.Response) -> str:
    """What the server says is wrong, with its status."""
    try:
        message = answer.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code}: {_keyless(answer, answer.text)[:200]}"
    return f"{answer.status_code}: {_keyless(answer, str(message))}"


def _keyless(answer: httpx.Response, text: str) -> str:
    """What the server says, without the key it was asked with: some that stand before a server repeat a request they refuse."""
    key = answer.request.headers.get("Authorization", "").removeprefix("Bearer ")
    return text.replace(key, "<key>") if key else text


def _refusal(answer: httpx.Response) -> Exception:
    if answer.status_code == _NOT_FOUND:
        return NotServed(problem_of(answer))
    # Anything else but a mistake in the request is the server's, or of what stands before it.
    if answer.status_code == _BUSY or not answer.is_client_error:
        return ServerSilent(f"failed at the request ({problem_of(answer)})")
    return WorkerFault(f"vLLM refused the request ({problem_of(answer)})")


async def _pieces(answer: httpx.Response) -> AsyncGenerator[Piece, None]:
    async for line in answer.aiter_lines():
        data = line.removeprefix("data:").strip()
        if not line.startswith("data:") or data == "[DONE]":
            continue
        try:
            pieces = _pieces_of(json.loads(data))
        except _STRANGE as error:
            raise ServerSilent(f"does not send replies as vLLM does ({data[:200]})") from error
        for piece in pieces:
            yield piece


def _pieces_of(event: dict[str, Any]) -> tuple[Piece, ...]:
    if "error" in event:
        raise ServerSilent(f"failed at the request ({event['error']})")
    return tuple(
        Piece(
            tokens=tuple(map(int, choice["token_ids"])),
            logprobs=tuple(map(float, (choice.get("logprobs") or {}).get("token_logprobs") or ())),
            finish=choice.get("finish_reason") or "",
        )
        for choice in event["choices"]
    )
