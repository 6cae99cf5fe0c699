"""What the service says to a configuration that is not in force: whether it can be, and how it would feel."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from emotional_ai.aio import AsyncClient
from emotional_ai.errors import InvalidArgument
from emotional_ai.names import levels
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.web.page.lines import Line, Picture, Pictures, line
from emotional_ai.web.page.touch.form import path_of

EVENTS: Final[Mapping[str, pb.Signals]] = {
    "after praise 0.70": pb.Signals(praise=0.7),
    "after a threat 0.70": pb.Signals(threat=0.7),
}
"""What a preview lets happen."""
SAMPLES: Final = 121
HALF_LIVES: Final = 1.5
"""Span of a preview, in half-lives of the slowest chemical."""
BEFORE: Final = 0.06
"""Share of the span shown before the event."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the service says."""

    faults: Mapping[str, str]
    """What is wrong, by the path of its field; nothing if the configuration can be."""
    rest: Mapping[str, float]
    """The baseline it comes to, by chemical; empty if it cannot be."""


async def verdict(client: AsyncClient, config: pb.SessionConfig) -> Verdict:
    """Asks about a configuration; nothing is stored. Raises what the calls raise, but for refusals of the configuration."""
    rested, spoken = await asyncio.gather(
        client.simulate([0.0], config=config.dynamics),
        client.preview_expression(pb.Chemistry(), config=config),
        return_exceptions=True,
    )
    faults: dict[str, str] = {}
    for answer in (spoken, rested):
        if isinstance(answer, InvalidArgument):
            faults |= {path_of(one.field, config): one.description for one in answer.violations}
        elif isinstance(answer, BaseException):
            raise answer
    if faults or isinstance(rested, BaseException):
        return Verdict(faults, {})
    return Verdict({}, levels(rested[0].chemistry))


async def preview(client: AsyncClient, edited: pb.DynamicsConfig, now: pb.DynamicsConfig) -> Pictures:
    """How events would decay under an edited configuration, beside the one in force. Raises what the calls raise."""
    times = _times(max(_slowest(edited), _slowest(now)))
    courses = [(config, event) for event in EVENTS.values() for config in (edited, now)]
    told = await asyncio.gather(*(_course(client, config, event, times) for config, event in courses))
    pictures = [
        Picture(title=name, lines=[*_lines(told[2 * index]), *_lines(told[2 * index + 1], in_force=True)])
        for index, name in enumerate(EVENTS)
    ]
    happens = times[-1] * BEFORE
    return Pictures(unit="minutes", times=[time - happens for time in times], pictures=pictures)


def _slowest(config: pb.DynamicsConfig) -> float:
    return max(levels(config.half_life_minutes).values())


def _times(slowest: float) -> list[float]:
    span = slowest * HALF_LIVES
    return [span * index / (SAMPLES - 1) for index in range(SAMPLES)]


async def _course(
    client: AsyncClient, config: pb.DynamicsConfig, event: pb.Signals, times: Sequence[float]
) -> Sequence[pb.SimulatedSample]:
    happens = pb.SimulatedEvent(time=times[-1] * BEFORE, signals=event)
    return await client.simulate(times, config=config, events=[happens])


def _lines(samples: Sequence[pb.SimulatedSample], *, in_force: bool = False) -> list[Line]:
    every = [levels(sample.chemistry) for sample in samples]
    return [line(name, [one[name] for one in every], faint=in_force) for name in CHEMICALS]
