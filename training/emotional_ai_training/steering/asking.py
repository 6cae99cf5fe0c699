"""Puts questions to a running service, many at a time, and keeps every reply as it comes, so that nothing is asked twice."""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from emotional_ai import AsyncClient
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.v1.engine_pb2 import Chemistry
from emotional_ai_training.conditioning import BALANCED, BASELINE, PERSONA, REST_TEMPERATURE
from emotional_ai_training.dataset.rows import CHEMICALS
from emotional_ai_training.steering.errors import RepliesUnusable
from emotional_ai_training.steering.protocol import Arm, Part, Question
from emotional_ai_training.steering.wording import in_words

REST_TOP_P: Final = 0.92
"""Nucleus mass of a state at rest."""
MIN_P: Final = 0.1
"""The service's default, in every arm: asked for by name, so that kept replies say what they were spoken with."""
REPLY_SECONDS: Final = 600.0
"""How long a reply may take, waiting for its turn included."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply to a question, and how many tokens it took."""

    question: Question
    text: str
    tokens: int


async def ask(
    client: AsyncClient,
    questions: Iterable[Question],
    max_tokens: int,
    at_once: int,
    answered: Callable[[Answer], None],
) -> None:
    """Asks everything, `at_once` replies at a time; `answered` gets each as it is complete. Raises what the client raises."""
    waiting = iter(questions)

    async def asker() -> None:
        for question in waiting:
            answered(await _asked(client, question, max_tokens))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(asker())
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed


async def _asked(client: AsyncClient, question: Question, max_tokens: int) -> Answer:
    messages, under, sampling = request(question, max_tokens)
    async with client.generate(messages, under=under, sampling=sampling, timeout=REPLY_SECONDS) as reply:
        text = await reply.read()
    assert reply.finished is not None  # a reply that was read to its end is
    return Answer(question, text, reply.finished.usage.completion_tokens)


def request(question: Question, max_tokens: int) -> tuple[list[pb.ChatMessage], pb.ExplicitExpression, pb.Sampling]:
    """What the service is sent for a question."""
    arm = question.arm
    messages = [pb.ChatMessage(role=pb.ROLE_USER, content=question.text)]
    under = pb.ExplicitExpression(chemistry=Chemistry(**dict(zip(CHEMICALS, question.state, strict=True))))
    sampling = pb.Sampling(max_tokens=max_tokens, seed=question.seed, min_p=MIN_P)
    if arm in (Arm.TOKENS, Arm.SAMPLING, Arm.WORDS, Arm.PLAIN):
        under.blend.append(pb.AdapterWeight(adapter=BALANCED, weight=0.0))
    if arm in (Arm.ADAPTERS, Arm.SAMPLING, Arm.WORDS, Arm.PLAIN):
        under.without_conditioning = True
    if arm not in (Arm.FULL, Arm.SHUFFLED, Arm.SAMPLING):
        sampling.temperature, sampling.top_p = REST_TEMPERATURE, REST_TOP_P
    if arm is Arm.WORDS:
        said = f"{PERSONA} {in_words(question.state, BASELINE)}"
        messages.insert(0, pb.ChatMessage(role=pb.ROLE_SYSTEM, content=said))
    return messages, under, sampling


class Replies:
    """Replies kept in a file, one JSON object a line, in the order they came."""

    def __init__(self, path: Path, settings: Mapping[str, object]) -> None:
        """`settings` are what replies depend on besides their questions; they are the file's first line."""
        self._path = path
        self._settings = json.loads(json.dumps(settings))

    def load(self) -> dict[str, Answer]:
        """Replies kept before, by key of their question. A last line that was half-written is cut off.

        Raises RepliesUnusable for a file that is no such file, or of other settings.
        """
        if not self._path.exists():
            return {}
        raw = self._path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        if whole != raw:
            with self._path.open("r+b") as file:
                file.truncate(len(whole))
        lines = whole.splitlines()
        if not lines:
            return {}
        if self._parsed(1, lines[0]) != self._settings:
            raise RepliesUnusable(
                f"{self._path} holds replies of other settings ({lines[0][:300].decode(errors='replace')}); write into another "
                "folder with --out, or ask everything anew with --fresh"
            )
        answers = [self._answer(number, line) for number, line in enumerate(lines[1:], start=2)]
        return {answer.question.key: answer for answer in answers}

    def drop(self) -> None:
        """Forgets every reply."""
        self._path.unlink(missing_ok=True)

    @contextmanager
    def appending(self) -> Iterator[Callable[[Answer], None]]:
        """Keeps what it is given, at once. Raises OSError if that cannot be done."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = not self._path.exists() or self._path.stat().st_size == 0
        with self._path.open("a", encoding="utf-8") as file:
            if fresh:
                _write(file, self._settings)
            yield lambda answer: _write(file, asdict(answer))

    def _answer(self, number: int, line: bytes) -> Answer:
        try:
            found: Any = self._parsed(number, line)
            asked = found["question"]
            question = Question(
                Part(asked["part"]),
                Arm(asked["arm"]),
                asked["point"],
                tuple(asked["state"]),
                asked["prompt_id"],
                asked["text"],
                asked["seed"],
            )
            return Answer(question, found["text"], found["tokens"])
        except (KeyError, TypeError, ValueError) as error:
            raise RepliesUnusable(f"{self._path}, line {number}: no reply of an evaluation ({error})") from error

    def _parsed(self, number: int, line: bytes) -> dict[str, object]:
        try:
            found = json.loads(line)
        except ValueError as error:
            raise RepliesUnusable(f"{self._path}, line {number}: {error}") from error
        if not isinstance(found, dict):
            raise RepliesUnusable(f"{self._path}, line {number}: no JSON object")
        return found


def _write(file: TextIO, value: object) -> None:
    file.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")
    file.flush()
