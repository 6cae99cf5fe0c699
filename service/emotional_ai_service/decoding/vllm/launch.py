"""How an operator starts the server this backend needs.

`server_side/` holds the one module the server imports from us; it depends on nothing of ours, so that the server may live
in an environment of its own.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from emotional_ai_service.decoding.vllm.settings import VllmSettings

MODULE: Final = "vllm.entrypoints.openai.api_server"
SERVER_SIDE: Final = Path(__file__).parent / "server_side"
PROCESSOR: Final = "reply_penalty:ReplyPenalty"
TOGETHER: Final = 16
"""Different blends the server computes in one batch, at most; others wait for the next."""


def server_arguments(settings: VllmSettings) -> tuple[str, ...]:
    """Arguments of the server, after `python -m MODULE`. An operator may add to them: a dtype, a context length."""
    address = urlsplit(settings.base_url)
    default = 443 if address.scheme == "https" else 80
    return (
        *("--model", str(settings.model_dir.absolute()), "--served-model-name", settings.model),
        *("--host", address.hostname or "127.0.0.1", "--port", str(address.port or default)),
        *("--enable-lora", "--max-lora-rank", str(settings.max_rank)),
        *("--max-loras", str(min(TOGETHER, settings.blends)), "--max-cpu-loras", str(settings.blends)),
        *("--logits-processors", PROCESSOR),
    )


def server_environment() -> Mapping[str, str]:
    """Variables the server needs."""
    return {
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
        "VLLM_USE_V2_MODEL_RUNNER": "0",  # whose logits processors are of another kind than ours
        "PYTHONPATH": str(SERVER_SIDE),
    }


def server_command(settings: VllmSettings) -> str:
    """The whole command, for a shell."""
    variables = (f"{name}={shlex.quote(value)}" for name, value in server_environment().items())
    return " ".join([*variables, "python", "-m", MODULE, shlex.join(server_arguments(settings))])
