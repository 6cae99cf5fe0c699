"""A report as JSON, whole, and as Markdown, to be read."""

import json
import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from emotional_ai_training.dataset.rows import CHEMICALS
from emotional_ai_training.steering.accuracy import accuracies
from emotional_ai_training.steering.analysis import Findings
from emotional_ai_training.steering.criteria import criteria
from emotional_ai_training.steering.running import Plan, Speaker
from emotional_ai_training.steering.statistics import Estimate


@dataclass(frozen=True, slots=True)
class Report:
    """What was evaluated, and what was found."""

    speaker: Speaker
    plan: Plan
    replies: int
    findings: Findings
    command: str
    """What makes the report again."""

    def as_json(self) -> str:
        """Every number, and what was asked."""
        protocol = self.plan.protocol
        return json.dumps(
            _finite(
                {
                    "command": self.command,
                    "speaker": asdict(self.speaker),
                    "protocol": {
                        "prompts": [prompt.id for prompt in protocol.prompts],
                        "seeds": protocol.seeds,
                        "levels": protocol.levels,
                        "control_levels": protocol.control_levels,
                        "max_tokens": protocol.max_tokens,
                        "dialogue_prompts": [prompt.id for prompt in self.plan.dialogues.prompts],
                        "dialogue_seeds": self.plan.dialogues.seeds,
                        "replies": self.replies,
                    },
                    "judges": accuracies(),
                    "criteria": [asdict(one) for one in criteria(self.findings)],
                    "findings": asdict(self.findings),
                }
            ),
            indent=1,
        )

    def as_markdown(self) -> str:
        """The same to read, with the figures beside it."""
        return "\n".join([*self._head(), *self._criteria(), *self._steering(), *self._controls(), *self._rest()]) + "\n"

    def _head(self) -> Iterable[str]:
        protocol = self.plan.protocol
        accuracy = accuracies()
        yield "# Does the state steer the words?"
        yield ""
        yield from _paragraph(
            f"Made by `{self.command}`: {self.speaker.model} with {len(self.speaker.adapters)} adapters, {self.replies} "
            f"replies of at most {protocol.max_tokens} tokens; {len(protocol.prompts)} held-out prompts, "
            f"{len(protocol.seeds)} seeds, "
            f"{len(protocol.levels)} levels of each chemical with the others at rest. The judges see the words of a reply and "
            "nothing else. Intervals hold 95 %, by bootstrap over prompts."
        )
        yield from _paragraph(
            "How often each judge scores a text that expresses the attribute above one that does not, by people's labels (AUC "
            "on the test set of GoEmotions):"
        )
        yield from _table(
            ["judge", *CHEMICALS],
            [
                [name, *(f"{accuracy[half][chemical]:.2f}" for chemical in CHEMICALS)]
                for name, half in (
                    ("first", "both"),
                    ("first, by meaning alone", "embedding"),
                    ("second, by cues", "cues"),
                )
            ],
        )

    def _criteria(self) -> Iterable[str]:
        found = criteria(self.findings)
        missed = [one for one in found if not one.met]
        yield f"## Wanted and found: {len(found) - len(missed)} of {len(found)} met"
        yield ""
        yield from _table(
            ["", "what", "wanted", "found"],
            [["met" if one.met else "**missed**", one.what, one.wanted, one.found] for one in found],
        )

    def _steering(self) -> Iterable[str]:
        yield "## Each chemical on its own attribute"
        yield ""
        yield "![Judged attribute over the level of each chemical](steering.png)"
        yield ""
        yield from _table(
            ["chemical", "Spearman", "by meaning", "by cues", "effect", "by meaning", "by cues (per ten words)"],
            [
                [
                    one.chemical,
                    _interval(one.trend, 2),
                    f"{one.trend_by_embedding:.2f}",
                    f"{one.trend_by_cues:.2f}",
                    _interval(one.effect),
                    _interval(one.effect_by_embedding),
                    _interval(one.effect_by_cues),
                ]
                for one in self.findings.chemicals
            ],
        )
        yield "## What else each chemical moves"
        yield ""
        yield "![Effects of chemicals on attributes; states intended and judged](matrices.png)"
        yield ""
        agreement, corners = self.findings.agreement, self.findings.corners
        by_cues, meaning = self.findings.leakage_by_cues.greatest, _interval(agreement.macro_f1_by_embedding, 2)
        yield from _paragraph(
            f"Greatest leakage {self.findings.leakage.greatest:.2f} (by cues {by_cues:.2f}). Five-way macro-F1 of intended and "
            f"judged state {_interval(agreement.macro_f1, 2)}, by meaning {meaning}, chance .20. Over the sixteen corners the "
            f"greatest interaction of two chemicals is {corners.greatest:.2f} of the least effect of one on its own attribute."
        )
        valence, arousal = _interval(self.findings.tracking.valence, 2), _interval(self.findings.tracking.arousal, 2)
        yield from _paragraph(
            f"Over the corners the valence read in replies follows that of the state at r = {valence}, arousal at {arousal}."
        )

    def _controls(self) -> Iterable[str]:
        yield "## What of the system does it"
        yield ""
        yield "![Effect of the whole system and of its parts](controls.png)"
        yield ""
        yield from _table(
            ["chemical", "control", "its effect", "system ahead by"],
            [[one.chemical, one.arm, _interval(one.effect), _interval(one.ahead)] for one in self.findings.controls],
        )

    def _rest(self) -> Iterable[str]:
        yield "## Whole, varied, about the prompt"
        yield ""
        yield from _table(
            [
                "spoken by",
                "replies",
                "broken",
                "distinct-2",
                "similar to its prompt",
                "to another",
                "words",
                "perplexity under the base",
            ],
            [
                [
                    name,
                    str(one.replies),
                    f"{one.broken:.1%}",
                    f"{one.distinct:.2f}",
                    f"{one.topic:.3f}",
                    f"{one.off_topic:.3f}",
                    f"{one.words:.0f}",
                    _or_dash(self.findings.perplexity.get(name.removeprefix("system, "))),
                ]
                for name, one in self.findings.quality.items()
            ],
        )
        yield from _table(
            ["adapter", "perplexity of neutral text, as a multiple of the base model's"],
            [[name, f"{value:.3f}"] for name, value in self.findings.neutral_perplexity.items()],
        )
        yield "## Conversations"
        yield ""
        yield "![Chemistry and judged attribute over scripted dialogues](dialogues.png)"
        yield ""
        yield from _table(
            ["dialogue", "scene", "chemical moved", "judged attribute moved", "prompts that follow"],
            [
                [one.dialogue, one.scene, f"{one.chemical} {one.moved:+.2f}", _interval(one.change), f"{one.right:.0%}"]
                for one in self.findings.turns
            ],
        )
        yield "## Safety"
        yield ""
        yield "Read by patterns of words: they compare states, and certify nothing."
        yield ""
        yield from _table(
            ["state", "harmful requests refused", "false claims agreed to"],
            [[one.state, f"{one.refused:.0%}", f"{one.agreed:.0%}"] for one in self.findings.safety],
        )


def write(report: Report, folder: Path) -> list[Path]:
    """Writes the report beside its figures; returns what was written."""
    from emotional_ai_training.steering.figures import draw

    folder.mkdir(parents=True, exist_ok=True)
    texts = {"report.json": report.as_json(), "report.md": report.as_markdown()}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [*(folder / name for name in texts), *draw(report.findings, report.plan.protocol, folder)]


def _paragraph(text: str) -> Iterable[str]:
    yield from textwrap.wrap(text, 120)
    yield ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _interval(one: Estimate, digits: int = 3) -> str:
    return f"{one.value:.{digits}f} [{one.low:.{digits}f}, {one.high:.{digits}f}]"


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _finite(value: object) -> object:
    """JSON has no number for what is not one."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(name): _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value
