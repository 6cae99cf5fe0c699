"""A small server that speaks vLLM's endpoints on the loopback interface: it computes nothing and remembers what was asked.

It serves on the loop of the test, so that the test reads and changes it directly.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

MODEL = "base"
CONTEXT = 200


@dataclass(slots=True)
class VllmLoopback:
    """What it does, and what it was asked."""

    url: str = ""
    penalises: bool = True
    """As if started with our logits processor."""
    updates: bool = True
    """As if started so that adapters load while it runs."""
    alive: bool = True
    tokens: tuple[int, ...] = (40, 41, 42)
    finish: str = "length"
    silent: tuple[str, ...] = ()
    """What it leaves out of each piece of a reply."""
    answers: int = 0
    """Status it answers every completion with; 0 completes."""
    strict: bool = False
    """Takes every completion for a bad request."""
    listing: object = None
    """What it says it serves, if not what vLLM says."""
    keeps: bool = False
    """Fails to unload anything."""
    refusal: str = ""
    """Why it loads nothing; empty loads."""
    loading: asyncio.Event = field(default_factory=asyncio.Event)
    """Loads wait for it."""
    speaking: asyncio.Event = field(default_factory=asyncio.Event)
    """Replies wait for it behind their first token."""
    loaded: dict[str, str] = field(default_factory=dict)
    loads: list[str] = field(default_factory=list)
    unloads: list[str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    left: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    """Released by every reply whose client went away."""
    looked: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    """Released by every question whether it is well."""

    def reset(self) -> None:
        """As it was made, what it has loaded apart."""
        fresh = VllmLoopback()
        for name in (
            "penalises",
            "updates",
            "alive",
            "tokens",
            "finish",
            "refusal",
            "left",
            "silent",
            "strict",
            "answers",
            "listing",
            "keeps",
        ):
            setattr(self, name, getattr(fresh, name))
        for kept in (self.loads, self.unloads, self.asked):
            kept.clear()
        self.loading.set()
        self.speaking.set()

    async def health(self, request: Request) -> Response:
        self.looked.release()
        return Response(status_code=200 if self.alive else 503)

    async def models(self, request: Request) -> Response:
        if self.listing is not None:
            return JSONResponse(self.listing)
        base = {"id": MODEL, "root": "/model", "parent": None, "max_model_len": CONTEXT}
        blends = [{"id": name, "root": path, "parent": MODEL} for name, path in self.loaded.items()]
        return JSONResponse({"object": "list", "data": [base, *blends]})

    async def load(self, request: Request) -> Response:
        body = await request.json()
        name, path = body["lora_name"], body["lora_path"]
        if not self.updates:
            return _error(404, "Not Found")
        if not name:
            return _error(400, "Both 'lora_name' and 'lora_path' must be provided.")
        if name in self.loaded:
            return _error(400, f"The lora adapter '{name}' has already been loaded.")
        self.loads.append(name)
        await self.loading.wait()
        if self.refusal:
            return _error(500, self.refusal)
        self.loaded[name] = path
        return Response("Success")

    async def unload(self, request: Request) -> Response:
        name = (await request.json())["lora_name"]
        self.unloads.append(name)
        if self.keeps:
            return _error(500, "it is stuck")
        if self.loaded.pop(name, None) is None:
            return _error(404, f"The lora adapter '{name}' cannot be found.")
        return Response("Success")

    async def complete(self, request: Request) -> Response:
        body = await request.json()
        if not self.alive:
            return _error(503, "the engine is dead")
        if self.answers:
            return _error(self.answers, "what stands before it says so")
        if self.strict:
            return _error(400, "prompt must be text")
        if self.penalises and body.get("vllm_xargs", {}).get("reply_penalty", 1) < 1:
            return _error(400, "reply_penalty must be a number of at least 1")
        if body["model"] != MODEL and body["model"] not in self.loaded:
            return _error(404, f"The model `{body['model']}` does not exist.")
        self.asked.append(body)
        return StreamingResponse(self._reply(body), media_type="text/event-stream")

    async def _reply(self, body: dict[str, Any]) -> AsyncIterator[str]:
        try:
            for position, token in enumerate(self.tokens):
                last = position == len(self.tokens) - 1
                choice = {"index": 0, "text": "", "finish_reason": self.finish if last else None, "token_ids": [token]}
                if "logprobs" in body:
                    choice["logprobs"] = {"token_logprobs": [-float(token)]}
                for left_out in self.silent:
                    choice.pop(left_out, None)
                yield f"data: {json.dumps({'choices': [choice]})}\n\n"
                await self.speaking.wait()
        except (asyncio.CancelledError, GeneratorExit):
            self.left.release()
            raise
        if self.finish:
            yield "data: [DONE]\n\n"


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": {"message": message, "code": status}}, status_code=status)


@asynccontextmanager
async def vllm_loopback() -> AsyncIterator[VllmLoopback]:
    """Serves until the context is left."""
    vllm = VllmLoopback()
    vllm.reset()
    routes = [
        Route("/health", vllm.health),
        Route("/v1/models", vllm.models),
        Route("/v1/load_lora_adapter", vllm.load, methods=["POST"]),
        Route("/v1/unload_lora_adapter", vllm.unload, methods=["POST"]),
        Route("/v1/completions", vllm.complete, methods=["POST"]),
    ]
    config = uvicorn.Config(Starlette(routes=routes), log_level="warning", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        vllm.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield vllm
        finally:
            vllm.reset()
            server.should_exit = True
            await serving
