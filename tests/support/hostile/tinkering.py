"""The local Tinker-compatible server: bodies, paths, headers and chunks, with a tiny model that really trains and samples."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import quote

import zstandard
from starlette.types import ASGIApp
from tinker.proto import tinker_public_pb2 as tinker_pb
from tinker_loopback import KEY, base_model
from tiny_model import write_tiny_model

from emotional_ai_training.tinker_server.application import application
from emotional_ai_training.tinker_server.engine import CheckpointStore, Engine
from emotional_ai_training.tinker_server.service import Service, serving
from emotional_ai_training.tinker_server.settings import ServerSettings
from hostile.asgi import Answer, Asked, answered, chunked, header
from hostile.inputs import havoc, name, spoil, spoiled_json
from hostile.rig import Complaints, complaints
from hostile.tally import Broken

KNOWN: Final = [(b"x-api-key", KEY.encode()), (b"content-type", b"application/json")]
PATHS: Final = (
    *("training_runs", "training_runs/RUN", "training_runs/RUN/checkpoints", "checkpoints?limit=5&offset=0", "healthz"),
    *(
        "training_runs/RUN/checkpoints/weights/kept",
        "training_runs/RUN/checkpoints/external_weights/out/external_weights_urls",
    ),
    *("training_runs/RUN/checkpoints/weights/kept/ttl", "samplers/SESSION:sample:0", "sessions/none/finish"),
    *("get_server_capabilities", "telemetry", "client/config"),
)
FILE: Final = "/files/RUN/out/adapter_config.json?expires=99&signature=00"


class Tinkering:
    """Sends each input to a route drawn for it, and fetches what was promised."""

    def __init__(self, app: ASGIApp, service: Service, heard: Complaints) -> None:
        self._app = app
        self._service = service
        self._heard = heard
        self._session = self._run = ""
        self._sampled = b""

    async def one(self, draw: Random) -> str:
        answer = await answered(self._app, self._asked(draw))
        promised = json.loads(answer.body) if answer.status == 200 and answer.body.startswith(b"{") else {}
        if isinstance(promised.get("request_id"), str) and "type" not in promised:
            kept = await self._post("retrieve_future", {"request_id": promised["request_id"]})
            self._heard.unless()
            _unless_failed(kept)
        self._heard.unless()
        _unless_failed(answer)
        return "OK" if answer.status < 300 else f"HTTP {answer.status}"

    async def still_serves(self) -> None:
        """Ends every session, begins one with a model and a sampler, and asks for what is known."""
        for session_id in self._service.sessions.silent(-1):
            self._service.end_session(session_id)
        self._session = json.loads((await self._post("create_session", {})).body)["session_id"]
        lora = {"rank": 2, "seed": 1}
        base = self._service.engine.base.name
        made = {"session_id": self._session, "model_seq_id": 0, "base_model": base, "lora_config": lora}
        self._run = json.loads((await self._done("create_model", made)).body)["model_id"]
        await self._done("save_weights", {"model_id": self._run, "path": "kept", "overwrite": True})
        await self._done("save_weights_external", {"model_id": self._run, "path": "out"})
        await self._post("create_sampling_session", self._bodies()["create_sampling_session"])
        bare = self._bodies()["asample"] | {"sampling_session_id": None, "base_model": base}
        sampled = (await self._done("asample", bare)).body
        self._sampled = self._sampled or sampled
        if sampled != self._sampled:
            raise Broken("a normal request came to other samples")

    def _asked(self, draw: Random) -> Asked:
        headers = KNOWN if draw.random() < 0.97 else [header(draw)]
        if draw.random() < 0.1:
            headers = [*headers, header(draw)]
        if draw.random() < 0.3:
            method, body = draw.choice(("GET", "GET", "DELETE", "PUT", "POST")), self._json(draw, {"ttl_seconds": 60})
            return Asked(method, self._path(draw), headers, [body])
        if draw.random() < 0.15:
            return Asked("POST", "/api/v1/forward_backward", headers, chunked(draw, self._pass(draw)))
        route, sound = draw.choice(list(self._bodies().items()))
        body = self._json(draw, sound)
        if draw.random() < 0.1:
            body, headers = zstandard.compress(body), [*headers, (b"content-encoding", b"zstd")]
        if draw.random() < 0.3:
            body = havoc(draw, body)
        return Asked("POST", f"/api/v1/{route}", headers, chunked(draw, body), leaves=draw.random() < 0.1)

    def _path(self, draw: Random) -> str:
        path = "/api/v1/" + draw.choice(PATHS) if draw.random() < 0.9 else FILE
        given, _, query = path.replace("RUN", self._run).replace("SESSION", self._session).partition("?")
        parts = given.split("/")
        for _ in range(draw.randrange(3)):
            parts[draw.randrange(len(parts))] = quote(name(draw), safe=draw.choice(("", "/.")))
        return (
            "/".join(parts)
            + (f"?{query}" if query else "")
            + draw.choice(("", "", "?limit=-1", "?limit=" + "9" * 5000))
        )

    def _json(self, draw: Random, sound: Mapping[str, Any]) -> bytes:
        value = spoiled_json(draw, sound) if draw.random() < 0.9 else dict(sound)
        return json.dumps(value).encode() if draw.random() < 0.97 else b"[" * draw.choice((10, 5000, 200_000))

    def _pass(self, draw: Random) -> bytes:
        tokens = b"".join(one.to_bytes(4, "little") for one in (5, 6, 7))
        message = tinker_pb.ForwardBackwardRequest(model_id=self._run, loss_fn="cross_entropy")
        message.forward_only = draw.random() < 0.5
        datum = message.data.add()
        datum.model_input.add().encoded_text.tokens = tokens
        for column, kind in (("target_tokens", tinker_pb.DTYPE_INT32), ("weights", tinker_pb.DTYPE_FLOAT32)):
            datum.loss_fn_inputs[column].dtype = kind
            datum.loss_fn_inputs[column].shape.append(3)
            datum.loss_fn_inputs[column].dense = tokens
        if draw.random() < 0.5:
            spoil(draw, datum.loss_fn_inputs[draw.choice(("target_tokens", "weights"))])
        elif draw.random() < 0.5:
            spoil(draw, datum.model_input[0])
        body: bytes = message.SerializeToString()
        return havoc(draw, body) if draw.random() < 0.4 else body

    def _bodies(self) -> dict[str, dict[str, Any]]:
        run, session, base = self._run, self._session, self._service.engine.base.name
        prompt = {"chunks": [{"type": "encoded_text", "tokens": [1, 2, 3]}]}
        lora = {"rank": 2, "seed": 1}
        params = {"max_tokens": 2, "seed": 1, "temperature": 1.0, "top_k": 5, "top_p": 0.9, "stop": ["a"]}
        return {
            "create_model": {"session_id": session, "model_seq_id": 1, "base_model": base, "lora_config": lora},
            "get_info": {"model_id": run},
            "optim_step": {
                "model_id": run,
                "optim_params": {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.9, "eps": 1e-8},
            },
            "save_weights": {
                "model_id": run,
                "path": "a",
                "ttl_seconds": 60,
                "overwrite": True,
                "user_metadata": {"a": "b"},
            },
            "load_weights": {"model_id": run, "path": f"tinker://{run}/weights/kept", "optimizer": True},
            "save_weights_for_sampler": {"model_id": run, "path": "b", "ttl_seconds": 60},
            "save_weights_external": {"model_id": run, "path": "c", "ttl_seconds": 60},
            "create_sampling_session": {"session_id": session, "sampling_session_seq_id": 0, "base_model": base},
            "asample": {
                "sampling_session_id": f"{session}:sample:0",
                "num_samples": 1,
                "prompt": prompt,
                "sampling_params": params,
                "prompt_logprobs": True,
                "topk_prompt_logprobs": 1,
            },
            "retrieve_future": {"request_id": f"{run}:0"},
            "session_heartbeat": {"session_id": session},
            "weights_info": {"tinker_path": f"tinker://{run}/weights/kept"},
        }

    async def _post(self, route: str, body: Mapping[str, Any]) -> Answer:
        return await answered(self._app, Asked("POST", f"/api/v1/{route}", KNOWN, [json.dumps(body).encode()]))

    async def _done(self, route: str, body: Mapping[str, Any]) -> Answer:
        """What was promised for a sound request. Raises Broken where it is refused."""
        answer = await self._post(route, body)
        if answer.status != 200:
            raise Broken(f"a normal {route} was refused: {answer.body[:300]!r}")
        kept = await self._post("retrieve_future", {"request_id": json.loads(answer.body)["request_id"]})
        if b'"category"' in kept.body and b"already" not in kept.body:
            raise Broken(f"a normal {route} failed: {kept.body[:300]!r}")
        return kept


def _unless_failed(answer: Answer) -> None:
    if answer.status >= 500 or b"the server failed" in answer.body or b"cannot read or write its state" in answer.body:
        raise Broken(f"HTTP {answer.status}: {answer.body[:400]!r}")


@asynccontextmanager
async def tinkering() -> AsyncIterator[Tinkering]:
    """Over a server of its own."""
    with TemporaryDirectory(prefix="hostile-") as scratch, complaints() as heard:
        root = Path(scratch)
        base = base_model(write_tiny_model(root / "model"))
        settings = ServerSettings(model=root / "model", state=root / "state", key=KEY, max_runs=8, max_queue=64)
        async with serving(Engine(base, CheckpointStore(root / "state")), settings) as service:
            yield Tinkering(application(service), service, heard)
