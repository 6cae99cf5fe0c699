"""The rows a training prepares for itself, the base model speaking its own replay rows."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from emotional_ai_training.dataset import prepare, write_rows
from emotional_ai_training.evaluation.before_after import Speaking, answers, continuations
from emotional_ai_training.judge import Judge
from emotional_ai_training.recipes.course import Course
from emotional_ai_training.recipes.examples import ChatTokenizer
from emotional_ai_training.recipes.workload import DATA, PREPARED
from emotional_ai_training.tinker_api import session

log = logging.getLogger(__name__)

GOING_ON: Final = Speaking(max_tokens=30, temperature=0.7)
"""How the base model goes on with a reply."""


@dataclass(frozen=True, slots=True)
class BaseSpeaker:
    """The base model's own replies, told of no state."""

    course: Course
    tokenizer: ChatTokenizer

    def reply(self, prompts: list[str]) -> list[str]:
        """One reply to each prompt, up to its last whole sentence; empty where there is none."""
        self.course.progress.report(DATA, 1, 2, {})

        def attempt() -> list[str]:
            with session(self.course.server) as service:
                sampler = self.course.sampler(service, None)
                return answers(self.course, sampler, self.tokenizer, prompts, "", Speaking())

        return [whole_sentences(text) for text in self.course.attempts(DATA, attempt)]

    def go_on(self, prompts: list[str], openers: list[str]) -> list[str]:
        """How a reply to each prompt goes on after its opener, told of no state."""
        self.course.progress.report(DATA, 1, 2, {})

        def attempt() -> list[str]:
            with session(self.course.server) as service:
                sampler = self.course.sampler(service, None)
                begun = [self.tokenizer.begun(text, opener) for text, opener in zip(prompts, openers, strict=True)]
                return continuations(self.course, sampler, self.tokenizer, begun, GOING_ON)

        return self.course.attempts(DATA, attempt)


def prepared(checkpoints: Path, base_digest: str, course: Course, tokenizer: ChatTokenizer, judge: Judge) -> Path:
    """The file of rows among the checkpoints, prepared if it is not there: one for each seed, base model and preparation."""
    config = replace(PREPARED, seed=course.seed)
    file = checkpoints / f"training_data-{course.seed}-{base_digest[:12]}-{config.digest()[:8]}.jsonl"
    if not file.is_file():
        course.progress.report(DATA, 0, 2, {})
        rows = prepare(config, judge, log.info, speaker=BaseSpeaker(course, tokenizer)).rows
        file.parent.mkdir(parents=True, exist_ok=True)
        write_rows(file, rows)
        course.progress.report(DATA, 2, 2, {})
    return file


def whole_sentences(text: str) -> str:
    """A text cut behind its last sentence mark, so that a reply that ran out of room does not teach to stop mid-word."""
    end = max(text.rfind(mark) for mark in ".!?")
    return text[: end + 1]
