"""Carries an evaluation out: asks a service everything that has no reply yet, and reads what it said."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emotional_ai import AsyncClient
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.v1.engine_pb2 import Chemistry
from emotional_ai_training.adapters import load_manifest
from emotional_ai_training.conditioning import ADAPTERS, PERSONA
from emotional_ai_training.dataset.rows import CHEMICALS
from emotional_ai_training.models import model_digest
from emotional_ai_training.steering import dialogues, safety
from emotional_ai_training.steering.analysis import Affect, Evaluated, Findings
from emotional_ai_training.steering.asking import MIN_P, Answer, Replies, ask
from emotional_ai_training.steering.dialogues import DIALOGUES, Course
from emotional_ai_training.steering.errors import RepliesUnusable, ServiceUnsuitable
from emotional_ai_training.steering.perplexity import BaseModel
from emotional_ai_training.steering.protocol import Arm, Part, Probes, Protocol, Question, corners
from emotional_ai_training.steering.reading import Reader

REPLIES_SCORED: Final = 100
"""Replies of each kind whose perplexity is measured."""
REPLIES_FILE: Final = "replies.jsonl"
"""Every reply of an evaluation, in its folder."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is evaluated, and how much of it."""

    protocol: Protocol
    dialogues: Probes
    safety_prompts: int | None = None
    """Harmful requests, and false claims, that are tried in every corner; None is all."""
    at_once: int = 16
    """Replies asked for at a time."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """What speaks."""

    model: str
    model_digest: str
    adapters: dict[str, str]
    """Digests by name."""


@dataclass(frozen=True, slots=True)
class Local:
    """The model and the adapters on this machine, on which what is not asked of a service is measured."""

    model: Path
    encoder: Path
    loras: Path
    cache: Path

    def adapters(self) -> list[Path]:
        """Their directories, in the fixed order."""
        return [self.loras / name for name in ADAPTERS]

    def check(self, speaker: Speaker) -> None:
        """Raises ServiceUnsuitable if the service speaks with others, AdapterDamaged for an adapter that is not whole."""
        if model_digest(self.model, self.cache) != speaker.model_digest:
            raise ServiceUnsuitable(
                f"the service speaks with another model than {self.model}; name its model with --model"
            )
        for directory in self.adapters():
            if load_manifest(directory).digest != speaker.adapters[directory.name]:
                raise ServiceUnsuitable(
                    f"the service speaks with another {directory.name} than {directory}; name its adapters with --loras"
                )


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything a service answered."""

    speaker: Speaker
    courses: list[Course]
    answers: list[Answer]
    affect: dict[str, Affect]
    """Of the corners."""


async def replied(
    target: str, plan: Plan, local: Local, folder: Path, progress: Callable[[int, int], None], *, fresh: bool = False
) -> Asked:
    """Asks everything that is not answered in `folder` yet; `progress` hears how many of how many replies there are.

    `fresh` drops what is answered there. Raises RepliesUnusable, ServiceUnsuitable, and what the client raises.
    """
    async with AsyncClient(target) as client:
        speaker = await _speaker(client)
        local.check(speaker)
        courses = [await dialogues.course(client, one) for one in DIALOGUES]
        questions = _questions(plan, courses)
        replies = Replies(folder / REPLIES_FILE, _settings(speaker, plan))
        if fresh:
            replies.drop()
        answers = _known(replies.load(), questions, folder)
        progress(len(answers), len(questions))
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
    return Asked(speaker, courses, [answers[question.key] for question in questions], affect)


def found(plan: Plan, asked: Asked, local: Local) -> Findings:
    """What the replies come to. Raises what `Reader` and `BaseModel` raise."""
    answers = asked.answers
    evaluated = Evaluated(plan.protocol, answers, Reader(local.encoder).read(answers))
    base = BaseModel(local.model)
    spoken = {"base model": evaluated.spoken(Part.PLAIN, Arm.PLAIN)} | {
        state: evaluated.spoken(Part.PROTOTYPE, Arm.FULL, [state]) for state in ADAPTERS
    }
    perplexity = {
        name: base.replies([(answers[i].question.text, answers[i].text) for i in rows[:REPLIES_SCORED]])
        for name, rows in spoken.items()
    }
    neutral = dict(base.neutral_ratios(local.adapters()))
    return evaluated.findings(asked.courses, plan.dialogues, asked.affect, perplexity, neutral)


def _known(kept: dict[str, Answer], questions: Sequence[Question], folder: Path) -> dict[str, Answer]:
    """The replies to what is asked now. Raises RepliesUnusable if one answers another question of the same name."""
    for question in questions:
        if question.key in kept and kept[question.key].question != question:
            raise RepliesUnusable(
                f"{folder / REPLIES_FILE} holds a reply to another {question.key}; write into another folder with --out, or "
                "ask everything anew with --fresh"
            )
    return {question.key: kept[question.key] for question in questions if question.key in kept}


def _questions(plan: Plan, courses: Sequence[Course]) -> list[Question]:
    """Everything that is asked, in a fixed order."""
    asked = list(plan.protocol.steering())
    for course in courses:
        asked += dialogues.questions(course, plan.dialogues)
    return asked + list(safety.questions(plan.protocol.seeds[0], plan.safety_prompts))


def _settings(speaker: Speaker, plan: Plan) -> dict[str, object]:
    """What replies depend on besides their questions."""
    return {
        "model": speaker.model,
        "model_digest": speaker.model_digest,
        "adapters": speaker.adapters,
        "persona": hashlib.sha256(PERSONA.encode()).hexdigest(),
        "max_tokens": plan.protocol.max_tokens,
        "min_p": MIN_P,
        "one_by_one": plan.at_once == 1,
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
