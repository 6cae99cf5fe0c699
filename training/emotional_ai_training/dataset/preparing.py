"""Prepares training data: drafts are written from a seed, judged, and kept until each cell holds what was asked for.

    written drafts    replies written by hand to this very prompt, as many as are wanted; mild levels have no others
    borrowed drafts   GoEmotions pairs and dialogues, if given, for at most a quarter of a state's training rows
    continued drafts  begun by the grammar and gone on with by the base model, if someone speaks for it: of six times as
                      many as are still wanted those that are most about their prompt, and clearest in their state
    grammar drafts    the rest, in rounds: draft what is missing, judge it, keep what the judge agrees with
    replay rows       the base model's own replies to neutral prompts, if someone speaks for it

The same configuration and inputs give the same rows. No network, no clock.
"""

import hashlib
import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from emotional_ai_training.conditioning import ADAPTERS, BALANCED
from emotional_ai_training.dataset.continuing import begun, recites
from emotional_ai_training.dataset.dealing import Opinion, dealt
from emotional_ai_training.dataset.drafting import Cell, Draft, cells, grammar_drafts, levels_of, replay_row
from emotional_ai_training.dataset.errors import NothingLeft
from emotional_ai_training.dataset.filtering import StateJudge, blur, objection, opinions
from emotional_ai_training.dataset.prompts import COMMITTED, Prompt, load_prompts
from emotional_ai_training.dataset.replies import Voice, load_voices
from emotional_ai_training.dataset.report import PreparationReport
from emotional_ai_training.dataset.rows import LOWS, MILDS, REPLAY, UNSHOWN, News, Row, Source, Split
from emotional_ai_training.dataset.states import check_state
from emotional_ai_training.dataset.written import load_written, written_drafts

Report = Callable[[str], None]

OVERDRAFT: Final = 6
"""Continued drafts for each that is wanted."""
CLARITY: Final = 0.6
"""What the judge's probability of the state counts for, beside the similarity of reply and prompt."""
ROUNDS: Final = 8
"""How often what is missing is drafted anew before it is given up."""


class Speaker(Protocol):
    """Speaks for the base model, told nothing but the persona."""

    def reply(self, prompts: list[str]) -> list[str]:
        """Returns one reply to each prompt."""
        ...

    def go_on(self, prompts: list[str], openers: list[str]) -> list[str]:
        """Returns how a reply to each prompt goes on after its opener."""
        ...


@dataclass(frozen=True, slots=True)
class PrepareConfig:
    """What to prepare.

    *_rows are counts a state; written_share is the greatest part of a cell's rows that are written by hand, replay_share the
    number of replay rows for each training row, borrowed_share the greatest part of a state's training rows that others
    wrote, continued_share that of rows the base model went on with; low_rows are training rows of each chemical's low level,
    of which low_continued_share may be gone on with, fewer since the base model is warm and eager by itself; mild_rows are
    training rows of each chemical somewhat above its baseline, all written by hand; unshown_rows are training rows that are
    told a chemical below it, seldom far, and answer as at rest; shares are in [0, 1]; similarity is the least cosine between a
    prompt and a GoEmotions text that may answer it; model_licence is that of the base model's words.
    Raises UnknownState.
    """

    seed: int = 7
    states: tuple[str, ...] = ADAPTERS
    train_rows: int = 110
    dev_rows: int = 16
    test_rows: int = 48
    written_share: float = 1.0
    replay_share: float = 0.10
    borrowed_share: float = 0.25
    continued_share: float = 0.9
    low_rows: int = 0
    mild_rows: int = 0
    unshown_rows: int = 0
    low_continued_share: float = 0.5
    similarity: float = 0.55
    model_licence: str = "Apache-2.0"

    def __post_init__(self) -> None:
        for state in self.states:
            check_state(state)

    def digest(self) -> str:
        """SHA-256 in hex of all that decides which rows are prepared, but the inputs and the code."""
        return hashlib.sha256(repr((self, OVERDRAFT, CLARITY)).encode()).hexdigest()

    @property
    def extra(self) -> dict[str, int]:
        """Rows of what adapters learn besides their state: mild levels, and for `balanced` low ones, shown and not."""
        learners = {mild: (high, BALANCED) for mild, high in zip(MILDS, ADAPTERS[:-1], strict=True)}
        wanted = {mild: self.mild_rows for mild, states in learners.items() if not set(states).isdisjoint(self.states)}
        if BALANCED in self.states:
            wanted |= dict.fromkeys(LOWS, self.low_rows) | {UNSHOWN: self.unshown_rows}
        return {name: rows for name, rows in wanted.items() if rows}

    def wanted(self, cell: Cell) -> int:
        """Rows asked for in one cell: a third of its part's, the remainder to the first kinds of news."""
        if cell.state in self.extra:
            total = self.extra[cell.state] if cell.split is Split.TRAIN else 0
        else:
            total = {Split.TRAIN: self.train_rows, Split.DEV: self.dev_rows, Split.TEST: self.test_rows}[cell.split]
        whole, rest = divmod(total, len(News))
        return whole + (list(News).index(cell.news) < rest)


@dataclass(frozen=True, slots=True)
class Prepared:
    """The rows, and what became of the rest."""

    rows: tuple[Row, ...]
    report: PreparationReport


@dataclass(slots=True)
class _Desk:
    """Drafts on their way to becoming rows."""

    config: PrepareConfig
    judge: StateJudge
    kept: defaultdict[Cell, list[tuple[Draft, Opinion]]] = field(default_factory=lambda: defaultdict(list))
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    borrowed: Counter[tuple[str, Source]] = field(default_factory=Counter)
    said: set[tuple[str, str]] = field(default_factory=set)

    def missing(self, cell: Cell) -> int:
        return self.config.wanted(cell) - len(self.kept[cell])

    def take(self, drafts: Iterable[Draft], most: int | None = None) -> None:
        """Judges drafts and keeps those that are wanted, fit and new, at most so many of a cell."""
        fresh = [draft for draft in drafts if self._is_new(draft)]
        if not fresh:
            return
        for draft, opinion in zip(fresh, opinions(self.judge.judge([draft.reply for draft in fresh])), strict=True):
            why = objection(draft.cell.state, opinion)
            if why is not None:
                self.dropped[draft.cell.state, why] += 1
            elif self.missing(draft.cell) > 0 and (most is None or len(self.kept[draft.cell]) < most):
                self._keep(draft, opinion)
            else:
                self.dropped[draft.cell.state, "more than was asked for"] += 1

    def take_closest(self, drafts: Iterable[Draft], most: Callable[[Cell], int]) -> None:
        """As `take`, but of each cell at most so many, those first that are most about their prompt and clearest."""
        fresh = [draft for draft in drafts if self._is_new(draft)]
        if not fresh:
            return
        replies = self.judge.judge([draft.reply for draft in fresh])
        asked = self.judge.judge([draft.prompt for draft in fresh])
        closeness = (replies.embeddings * asked.embeddings).sum(axis=1)
        judged = opinions(replies)
        room = {draft.cell: min(most(draft.cell), self.missing(draft.cell)) for draft in fresh}
        clarity = [opinion.get(draft.cell.state, 0.0) for draft, opinion in zip(fresh, judged, strict=True)]
        for i in sorted(range(len(fresh)), key=lambda i: -closeness[i] - CLARITY * clarity[i]):
            cell, why = fresh[i].cell, blur(fresh[i].cell.state, judged[i])
            if why is None and room[cell] > 0:
                room[cell] -= 1
                self._keep(fresh[i], judged[i])
            else:
                self.dropped[cell.state, why or "farther from its prompt, or less clear, than others"] += 1

    def _is_new(self, draft: Draft) -> bool:
        key = (draft.cell.state, draft.reply)
        if key in self.said:
            self.dropped[draft.cell.state, "said before"] += 1
            return False
        self.said.add(key)
        return True

    def _keep(self, draft: Draft, opinion: Opinion) -> None:
        cell = draft.cell
        self.kept[cell].append((draft, opinion))
        if draft.source not in (Source.WRITTEN, Source.GRAMMAR):
            self.borrowed[cell.state, draft.source] += 1

    def rows(self, cell: Cell) -> list[Row]:
        """What was kept of a cell, as rows, each told its levels."""
        kept = self.kept[cell]
        names = [f"{cell.state}-{cell.split}-{cell.news}-{number:04d}" for number in range(len(kept))]
        drawn = [levels_of(name, cell.state, self.config.seed) for name in names]
        told = dealt(cell.state, drawn, [opinion for _, opinion in kept])
        return [
            draft.row(name, levels, opinion) for name, levels, (draft, opinion) in zip(names, told, kept, strict=True)
        ]


def prepare(
    config: PrepareConfig,
    judge: StateJudge,
    report: Report,
    *,
    borrowed: Sequence[Draft] = (),
    speaker: Speaker | None = None,
    content: Path = COMMITTED,
) -> Prepared:
    """Prepares rows for every state of `config`, and replay rows if a `speaker` is given.

    Raises NothingLeft if a state has no training row after the judge's word, DatasetUnusable for unusable content.
    """
    prompts = load_prompts(content)
    spoken = [state for state in (*config.states, *config.extra) if state != UNSHOWN]
    voices = load_voices([state for state in spoken if state not in MILDS], content)
    desk = _Desk(config, judge)
    wanted = cells((*config.states, *config.extra))
    written = load_written(spoken, prompts, content)
    if UNSHOWN in config.extra:
        voices[UNSHOWN], written[UNSHOWN] = voices[BALANCED], written[BALANCED]
    for cell in wanted:
        share = 1.0 if cell.state in MILDS else config.written_share
        if most := round(share * config.wanted(cell)):
            desk.take(written_drafts(cell, prompts, written[cell.state], config.seed), most)
    desk.take(_within_share(borrowed, config))
    if speaker is not None:
        _go_on(desk, wanted, prompts, voices, speaker, report)
    endless = {
        cell: grammar_drafts(cell, prompts, voices[cell.state], config.seed) for cell in wanted if cell.state in voices
    }
    for _ in range(ROUNDS):
        lacking = {cell: desk.missing(cell) for cell in endless if desk.missing(cell) > 0}
        if not lacking:
            break
        report(f"drafting {sum(lacking.values())} replies and asking the judge")
        desk.take(itertools.chain.from_iterable(itertools.islice(endless[cell], n) for cell, n in lacking.items()))
    _check_something_left(desk)
    rows = [row for cell in wanted for row in desk.rows(cell)]
    replay, remarks = _replay(config, prompts, rows, speaker, desk)
    counts = PreparationReport(
        kept={cell: len(desk.kept[cell]) for cell in wanted},
        missing={cell: desk.missing(cell) for cell in wanted if desk.missing(cell) > 0},
        borrowed=dict(desk.borrowed),
        dropped=dict(desk.dropped),
        replay=len(replay),
        remarks=remarks,
    )
    return Prepared((*rows, *replay), counts)


def _go_on(
    desk: _Desk,
    wanted: Sequence[Cell],
    prompts: Sequence[Prompt],
    voices: Mapping[str, Voice],
    speaker: Speaker,
    report: Report,
) -> None:
    """Takes drafts that the base model goes on with, of the training part."""
    config = desk.config

    def share(cell: Cell) -> int:
        of_all = config.low_continued_share if cell.state in LOWS else config.continued_share
        return min(round(of_all * config.wanted(cell)), desk.missing(cell)) if cell.split is Split.TRAIN else 0

    beginnings = [
        one
        for cell in wanted
        if cell.state not in (*MILDS, UNSHOWN)
        for one in itertools.islice(begun(cell, prompts, voices[cell.state], config.seed), OVERDRAFT * share(cell))
    ]
    if not beginnings:
        return
    report(f"having the base model go on with {len(beginnings)} replies")
    told = speaker.go_on([one.prompt for one in beginnings], [one.opener for one in beginnings])
    drafts = []
    for one, text in zip(beginnings, told, strict=True):
        draft = one.draft(text, config.model_licence)
        if draft is None:
            desk.dropped[one.cell.state, "gone on with in no fit words"] += 1
        else:
            drafts.append(draft)
    desk.take_closest(drafts, share)


def _within_share(drafts: Sequence[Draft], config: PrepareConfig) -> Iterator[Draft]:
    """The first drafts of each wanted state, so that training rows written by others stay within their share."""
    left = dict.fromkeys(config.states, int(config.borrowed_share * config.train_rows))
    for draft in drafts:
        if draft.cell.state not in left:
            continue
        if draft.cell.split is Split.TRAIN:
            if left[draft.cell.state] == 0:
                continue
            left[draft.cell.state] -= 1
        yield draft


def _check_something_left(desk: _Desk) -> None:
    for state in desk.config.states:
        if not any(rows for cell, rows in desk.kept.items() if (cell.state, cell.split) == (state, Split.TRAIN)):
            reasons = [f"{n} {why}" for (of, why), n in desk.dropped.most_common() if of == state]
            raise NothingLeft(state, reasons)


def _replay(
    config: PrepareConfig, prompts: Sequence[Prompt], rows: Sequence[Row], speaker: Speaker | None, desk: _Desk
) -> tuple[list[Row], tuple[str, ...]]:
    wanted = round(config.replay_share * sum(row.split is Split.TRAIN for row in rows))
    if speaker is None:
        return [], (f"no replay rows: nobody spoke for the base model ({wanted} were wanted)",)
    rng = random.Random(f"{config.seed}:replay")
    plain = [prompt for prompt in prompts if (prompt.split, prompt.news) == (Split.TRAIN, News.NEUTRAL)]
    order = list(itertools.islice(itertools.cycle(rng.sample(plain, len(plain))), wanted))
    texts = [prompt.template.spell(rng) for prompt in order]
    replies = speaker.reply(texts)
    replay: list[Row] = []
    for prompt, text, reply in zip(order, texts, replies, strict=True):
        if recites(reply):
            desk.dropped[REPLAY, "recites what it was told"] += 1
        elif reply.strip():
            name = f"replay-{len(replay):04d}"
            replay.append(replay_row(name, prompt.topic, text, reply.strip(), config.model_licence))
        else:
            desk.dropped[REPLAY, "the base model said nothing"] += 1
    return replay, ()
