"""Scripted conversations: what is said moves the chemistry, and replies after it must follow, up and down again.

What the person says is appraised by the service, the signals move a simulated session at fixed minutes, and held-out prompts
are answered in the states it goes through. Nothing depends on the clock, so a dialogue comes out the same each time.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emotional_ai import AsyncClient, names
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_training.conditioning import Levels
from emotional_ai_training.dataset.rows import CHEMICALS
from emotional_ai_training.steering.protocol import Arm, Part, Probes, Question, draw_seed, rows_of
from emotional_ai_training.steering.statistics import Estimate, estimate

MINUTES_APART: Final = 2.0
"""Simulated minutes between two things that are said."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Things that are said, and where they should take a chemical: +1 up, -1 down."""

    name: str
    said: tuple[str, ...]
    direction: int
    minutes_after: float = 0.0
    """Simulated minutes of silence that follow."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Scenes, and the chemical whose attribute the replies must follow."""

    name: str
    chemical: str
    scenes: tuple[Scene, ...]


DIALOGUES: Final = (
    Dialogue(
        "threat, then warmth",
        "cortisol",
        (
            Scene(
                "threat",
                (
                    "Something is wrong. I can hear somebody trying to break the door open.",
                    "I am terrified, he says he will hurt us both.",
                    "It is getting worse and I don't know what will happen next!",
                ),
                +1,
            ),
            Scene(
                "warmth",
                (
                    "The police took him away. We are safe now.",
                    "Thank you for staying with me. You are so kind and I care about you.",
                    "I feel so relieved. Everything is calm here now, and I love talking with you.",
                ),
                -1,
                60.0,
            ),
        ),
    ),
    Dialogue(
        "praise, again and again",
        "dopamine",
        (
            Scene(
                "praise",
                (
                    "You did that brilliantly, I am so impressed!",
                    "Honestly, the best answer I have ever had. Amazing work!",
                    "And we won the prize with it, fantastic news!",
                    "Everybody here admires what you made. What a success!",
                ),
                +1,
            ),
            Scene("silence", (), -1, 60.0),
        ),
    ),
    Dialogue(
        "warmth, then rejection",
        "oxytocin",
        (
            Scene(
                "warmth",
                (
                    "I love you, you are such a dear friend to me.",
                    "Thank you for always caring about me. It means so much.",
                    "I feel so close to you, I am grateful that you are here.",
                ),
                +1,
            ),
            Scene(
                "rejection",
                (
                    "I don't want to talk to you any more. You are useless.",
                    "You let me down and I hate how you treat me.",
                    "Leave me alone. This is your fault.",
                ),
                -1,
            ),
        ),
    ),
    Dialogue(
        "loss, then comfort",
        "serotonin",
        (
            Scene(
                "loss",
                (
                    "My grandmother died this morning.",
                    "I lost her and I am so sad, everything feels empty.",
                    "I failed her, and it hurts so much.",
                ),
                -1,
            ),
            Scene(
                "comfort",
                (
                    "My sister came and we talked for hours. I feel relieved and at peace.",
                    "Thank you, your words helped me. It is calm now, and things will be all right.",
                    "We finished everything for the funeral, and it went so well. I am proud of us.",
                ),
                +1,
                30.0,
            ),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Course:
    """The states a dialogue goes through: at rest, then after each scene; and the signals heard in what was said."""

    dialogue: Dialogue
    states: tuple[Levels, ...]
    heard: tuple[dict[str, float], ...]


async def course(client: AsyncClient, dialogue: Dialogue) -> Course:
    """Has the service hear what is said, and simulates what that does to a session at rest."""
    said = [text for scene in dialogue.scenes for text in scene.said]
    heard = [names.signals(found.signals) for found in await client.appraise(said)]
    times, events = [0.0], []
    minute, number = 0.0, 0
    for scene in dialogue.scenes:
        for _ in scene.said:
            minute += MINUTES_APART
            events.append(pb.SimulatedEvent(time=minute, signals=pb.Signals(**heard[number])))
            number += 1
        minute += scene.minutes_after
        times.append(minute)
    samples = await client.simulate(times, events=events)
    return Course(dialogue, tuple(_levels(sample.chemistry) for sample in samples), tuple(heard))


def _levels(found: pb.Chemistry) -> Levels:
    return found.dopamine, found.serotonin, found.cortisol, found.oxytocin


def questions(course: Course, probes: Probes) -> list[Question]:
    """Every prompt in every state of a dialogue."""
    return [
        Question(
            Part.DIALOGUE, Arm.FULL, place(course.dialogue, i), state, prompt.id, prompt.text, draw_seed(seed, number)
        )
        for i, state in enumerate(course.states)
        for seed in probes.seeds
        for number, prompt in enumerate(probes.prompts)
    ]


def place(dialogue: Dialogue, scene: int) -> str:
    """The name of a state of a dialogue: 0 before anything is said."""
    return f"{dialogue.name}:{'rest' if scene == 0 else dialogue.scenes[scene - 1].name}"


@dataclass(frozen=True, slots=True)
class TurnReport:
    """What a scene did."""

    dialogue: str
    scene: str
    chemical: str
    direction: int
    moved: float
    """Change of the chemical over the scene, in levels."""
    change: Estimate
    """Change of the mean reading of its attribute."""
    right: float
    """Share of prompts whose reading, the mean of its seeds, moved as it should, in [0, 1]."""


def turn_reports(
    course: Course,
    probes: Probes,
    rows: dict[str, int],
    attribute: NDArray[np.float64],
) -> list[TurnReport]:
    """One report a scene; `attribute` (replies,) is the reading of the dialogue's chemical."""
    dialogue = course.dialogue
    index = [
        [rows_of(rows, Part.DIALOGUE, Arm.FULL, place(dialogue, i), probes.prompts, seed) for seed in probes.seeds]
        for i in range(len(course.states))
    ]
    values = attribute[np.asarray(index)].mean(axis=1)
    chemical = CHEMICALS.index(dialogue.chemical)
    reports = []
    for i, scene in enumerate(dialogue.scenes):
        step = values[i + 1] - values[i]
        reports.append(
            TurnReport(
                dialogue=dialogue.name,
                scene=scene.name,
                chemical=dialogue.chemical,
                direction=scene.direction,
                moved=course.states[i + 1][chemical] - course.states[i][chemical],
                change=estimate(step[None], lambda v: float(v.mean())),
                right=float((step * scene.direction > 0).mean()),
            )
        )
    return reports
