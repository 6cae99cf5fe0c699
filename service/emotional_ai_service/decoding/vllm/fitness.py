"""Whether a server was started as this backend needs it, asked once."""

from dataclasses import dataclass

from emotional_ai_service.decoding.vllm.errors import ServerSilent, ServerUnfit
from emotional_ai_service.decoding.vllm.server import VllmServer
from emotional_ai_service.decoding.vllm.settings import VllmSettings


@dataclass(frozen=True, slots=True)
class Fitness:
    """What the server can do."""

    context_length: int
    """Tokens of prompt and reply together, at most; 0 if it does not say."""
    penalises: bool
    """Whether it was started with our repetition penalty."""


async def inspect(server: VllmServer, settings: VllmSettings) -> Fitness:
    """Looks the server over. Raises ServerUnfit with what is wrong."""
    try:
        served = {each.name: each for each in await server.served()}
        loads = await server.loads()
        if settings.model not in served:
            raise ServerUnfit(settings, f"serves {', '.join(served) or 'nothing'}, not {settings.model}")
        if not loads:
            raise ServerUnfit(settings, "does not load adapters while it runs")
        if problem := await server.refusal(_probe(settings, 1)):
            raise ServerUnfit(settings, f"refuses a plain completion ({problem})")
        penalises = await server.refusal(_probe(settings, 0)) != ""
    except ServerSilent as error:
        raise ServerUnfit(settings, error.problem) from error
    return Fitness(served[settings.model].context_length, penalises)


def _probe(settings: VllmSettings, penalty: int) -> dict[str, object]:
    """A completion of one token, which our processor alone refuses for a penalty of 0, since none is below 1."""
    return {"model": settings.model, "prompt": [0], "max_tokens": 1, "vllm_xargs": {"reply_penalty": penalty}}
