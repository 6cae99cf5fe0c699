"""The decoder process killed with -9 in the middle of a reply: how soon its caller knows, how soon it speaks again.

    python benchmarks/recovery.py [--quick] [--json]

Needs the models (`emotional-ai models pull`). The last line is one JSON object.
"""

import asyncio
import os
import signal
from contextlib import aclosing
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Final

from apparatus import outcome

from emotional_ai_service.decoding import GenerationRequest, LocalDecoder, LocalModel, Message, Role, Text
from emotional_ai_service.workers import WorkerUnavailable
from emotional_ai_training.models import cache_dir, default_model_dir, pull

FULL: Final = 5
QUICK: Final = 1
"""Kills."""
BACK_SECONDS: Final = 120
QUESTION: Final = GenerationRequest((Message(Role.USER, "Say something kind."),), seed=11, max_tokens=24)
ENDLESS: Final = GenerationRequest((Message(Role.USER, "Count as far as you can."),), seed=11, max_tokens=4000)


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill; times in seconds from it."""

    told: float
    """Until the caller had its error."""
    back: float
    """Until the decoder was ready again."""
    same: bool
    """Whether it then said to a question what it had said before."""


async def measure(kills: int) -> outcome.Result:
    """Kills one decoder so many times."""
    cache = cache_dir(os.environ)
    pull(cache)
    decoder = LocalDecoder(LocalModel(default_model_dir(cache), cache))
    await decoder.start()
    try:
        seen = [await _killed(decoder) for _ in range(kills)]
    finally:
        await decoder.close()
    return {
        "kills": kills,
        "caller_told_ms": round(median(one.told for one in seen) * 1e3, 2),
        "slowest_caller_told_ms": round(max(one.told for one in seen) * 1e3, 2),
        "back_seconds": round(median(one.back for one in seen), 2),
        "speaks_as_before": all(one.same for one in seen),
    }


async def _killed(decoder: LocalDecoder) -> Kill:
    before = await _reply(decoder, QUESTION)
    killed = 0.0
    try:
        async with aclosing(decoder.generate(ENDLESS)) as events:
            async for event in events:
                if isinstance(event, Text) and not killed and decoder.pid is not None:
                    killed = perf_counter()
                    os.kill(decoder.pid, signal.SIGKILL)
        raise RuntimeError("the killed decoder finished its reply")
    except WorkerUnavailable:
        told = perf_counter() - killed
    async with asyncio.timeout(BACK_SECONDS):
        while not decoder.ready:  # noqa: ASYNC110  # another process, which sets no event
            await asyncio.sleep(0.01)
    return Kill(told, perf_counter() - killed, await _reply(decoder, QUESTION) == before)


async def _reply(decoder: LocalDecoder, request: GenerationRequest) -> str:
    async with aclosing(decoder.generate(request)) as events:
        return "".join([event.text async for event in events if isinstance(event, Text)])


def main() -> None:
    """Measures and prints."""
    flags = outcome.flags(__doc__)
    outcome.show(asyncio.run(measure(QUICK if flags.quick else FULL)), only_json=flags.json)


if __name__ == "__main__":
    main()
