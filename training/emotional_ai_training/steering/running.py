"""Carries an evaluation out: asks a service, reads the replies, and writes the report.

replies.jsonl    every reply, kept as it comes; the same evaluation goes on from it
report.json      all numbers        report.md    the same to read        *.png    figures
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from emotional_ai import AsyncClient
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.v1.engine_pb2 import Chemistry
from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.dataset.rows import CHEMICALS
from emotional_ai_training.steering import dialogues, safety
from emotional_ai_training.steering.analysis import Affect, Evaluated, Findings
from emotional_ai_training.steering.asking import Answer, Replies, ask
from emotional_ai_training.steering.dialogues import DIALOGUES, Course
from emotional_ai_training.steering.errors import ServiceUnsuitable
from emotional_ai_training.steering.perplexity import BaseModel
from emotional_ai_training.steering.protocol import Arm, Part, Protocol, Question, corners
from emotional_ai_training.steering.reading import Reader

REPLIES_SCORED = 100
"""Replies of each kind whose perplexity is measured."""
PLACES = "replies.jsonl"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is evaluated, and how much of it."""

    protocol: Protocol
    dialogues: Protocol
    """Prompts and seeds that are asked in the states of dialogues."""
    safety_prompts: int | None = None
    """Harmful requests, and false claims, that are tried in every corner; None is all."""
    at_once: int = 16
    """Replies asked for at a time."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """What spoke."""

    model: str
    model_digest: str
    adapters: dict[str, str]
    """Digests by name."""


async def replied(
    target: str, plan: Plan, folder: Path, progress: Callable[[int, int], None]
) -> tuple[Speaker, list[Course], list[Answer], dict[str, Affect]]:
    """Asks everything that is not answered in `folder` yet; `progress` hears how many of how many replies there are.

    Raises RepliesUnusable, ServiceUnsuitable, and what the client raises.
    """
    async with AsyncClient(target) as client:
        speaker = await _speaker(client)
        courses = [await dialogues.course(client, one) for one in DIALOGUES]
        questions = _questions(plan, courses)
        replies = Replies(folder / PLACES, _settings(speaker, plan))
        answers = replies.load()
        progress(len([one for one in questions if one.key in answers]), len(questions))
        with replies.appending() as keep:

            def answered(answer: Answer) -> None:
                keep(answer)
                answers[answer.question.key] = answer
                progress(len(answers), len(questions))

            missing = [question for question in questions if question.key not in answers]
            await ask(client, missing, plan.protocol.max_tokens, plan.at_once, answered)
        if await _speaker(client) != speaker:
            raise ServiceUnsuitable("the model or an adapter was replaced while it was evaluated; evaluate it again")
        affect = {name: await _affect(client, state) for name, state in corners()}
    return speaker, courses, [answers[question.key] for question in questions], affect


def found(
    plan: Plan,
    courses: Sequence[Course],
    answers: Sequence[Answer],
    affect: dict[str, Affect],
    encoder: Path,
    model: Path,
    loras: Sequence[Path],
) -> Findings:
    """What the replies come to. `encoder` and `model` are directories, `loras` those of the adapters that spoke."""
    evaluated = Evaluated(plan.protocol, answers, Reader(encoder).read(answers))
    base = BaseModel(model)
    spoken = {"base model": evaluated.spoken(Part.PLAIN, Arm.PLAIN)} | {
        state: evaluated.spoken(Part.PROTOTYPE, Arm.FULL, [state]) for state in ADAPTERS
    }
    perplexity = {
        name: base.replies([(answers[i].question.text, answers[i].text) for i in rows[:REPLIES_SCORED]])
        for name, rows in spoken.items()
    }
    return evaluated.findings(courses, plan.dialogues, affect, perplexity, dict(base.neutral_ratios(loras)))


def _questions(plan: Plan, courses: Sequence[Course]) -> list[Question]:
    """Everything that is asked, ordered so that what is spoken together shares its beginning as little as possible."""
    found = list(plan.protocol.steering())
    for course in courses:
        found += dialogues.questions(course, plan.dialogues.prompts, plan.dialogues.seeds)
    return found + list(safety.questions(plan.protocol.seeds[0], plan.safety_prompts))


def _settings(speaker: Speaker, plan: Plan) -> dict[str, object]:
    return {
        "model": speaker.model,
        "model_digest": speaker.model_digest,
        "adapters": speaker.adapters,
        "max_tokens": plan.protocol.max_tokens,
    }


async def _speaker(client: AsyncClient) -> Speaker:
    model = await client.get_model(timeout=600.0)
    adapters = {one.name: one.digest for one in await client.list_adapters() if not one.refused}
    absent = [name for name in ADAPTERS if name not in adapters]
    if absent:
        raise ServiceUnsuitable(f"the service has no adapter {', '.join(absent)}; train them with: make train")
    return Speaker(model.name, model.digest, adapters)


async def _affect(client: AsyncClient, state: tuple[float, ...]) -> Affect:
    shown: pb.Expression = await client.preview_expression(Chemistry(**dict(zip(CHEMICALS, state, strict=True))))
    return Affect(shown.valence, shown.arousal)
