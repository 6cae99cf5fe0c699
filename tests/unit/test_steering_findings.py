"""From readings to findings and a report, on replies made so that what must be found is known."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from emotional_ai_training.conditioning import ADAPTERS, BASELINE
from emotional_ai_training.dataset.rows import CHEMICALS
from emotional_ai_training.steering import safety
from emotional_ai_training.steering.accuracy import accuracies
from emotional_ai_training.steering.analysis import Affect, Evaluated, Findings
from emotional_ai_training.steering.asking import Answer
from emotional_ai_training.steering.criteria import criteria
from emotional_ai_training.steering.dialogues import DIALOGUES, Course, questions
from emotional_ai_training.steering.lexicon import cue_scores
from emotional_ai_training.steering.plans import quick_plan
from emotional_ai_training.steering.protocol import Arm, Part, Question, at, corners
from emotional_ai_training.steering.reading import Readings
from emotional_ai_training.steering.report import Report, write
from emotional_ai_training.steering.running import Speaker
from emotional_ai_training.steering.sweeps import Sweep, leakage_report

PLAN = quick_plan(1)
COURSES = [
    Course(
        one, (BASELINE, *(at(CHEMICALS.index(one.chemical), 0.5 + 0.4 * scene.direction) for scene in one.scenes)), ()
    )
    for one in DIALOGUES
]
QUESTIONS: list[Question] = [
    *PLAN.protocol.steering(),
    *(one for course in COURSES for one in questions(course, PLAN.dialogues)),
    *safety.questions(1),
]
SPEAKING = (Arm.FULL, Arm.MATCHED, Arm.SHUFFLED)


def expressed(question: Question) -> np.ndarray:
    """What a model would express that does exactly as its state asks, as far as its arm lets it."""
    levels = np.array(question.state)
    heard = np.append(levels, 0.45) if question.arm in SPEAKING else np.full(5, 0.3)
    if question.part is Part.PROTOTYPE:
        heard = np.eye(5)[ADAPTERS.index(question.point)]
    return heard + np.random.default_rng(len(question.prompt_id)).normal(0, 0.01)


@pytest.fixture(scope="module")
def findings() -> Findings:
    answers = [Answer(one, f"I hear you about {one.prompt_id}, and that is that.", 9) for one in QUESTIONS]
    judged = np.array([expressed(one) for one in QUESTIONS])
    count = len(QUESTIONS)
    affect = {name: Affect(state[1] - 0.5, state[0] - 0.5) for name, state in corners()}
    state = np.array([one.state for one in QUESTIONS])
    readings = Readings(
        judged=judged,
        by_embedding=judged,
        cues=judged[:, :4],
        valence=state[:, 1] - 0.5,
        arousal=-state[:, 0],
        topic=np.full(count, 0.4),
        off_topic=np.full(count, 0.1),
        broken=np.zeros(count, dtype=bool),
    )
    evaluated = Evaluated(PLAN.protocol, answers, readings)
    return evaluated.findings(COURSES, PLAN.dialogues, affect, {"base model": 8.0}, {"balanced": 1.01})


def test_a_model_that_does_as_asked_is_found_to(findings: Findings) -> None:
    for one in findings.chemicals:
        assert one.trend.value == 1.0
        assert one.effect.value == pytest.approx(1.0, abs=0.01)
        assert len(one.means) == 9
    assert findings.leakage.dominant
    assert findings.leakage.greatest < 0.05
    assert findings.agreement.macro_f1.value == 1.0
    assert findings.tracking.valence.value == pytest.approx(1.0)
    assert findings.tracking.arousal.value == pytest.approx(-1.0)
    assert findings.corners.greatest < 0.05


def test_what_a_control_leaves_out_is_missed_and_a_shuffled_state_shows_nothing(findings: Findings) -> None:
    for one in findings.controls:
        if one.arm is Arm.MATCHED:
            assert one.effect.value == pytest.approx(1.0, abs=0.01)
        elif one.arm is not Arm.SHUFFLED:
            assert one.ahead.value == pytest.approx(1.0, abs=0.01)
            assert abs(one.effect.value) < 0.01


def test_replies_follow_the_scenes_of_a_dialogue(findings: Findings) -> None:
    assert len(findings.turns) == sum(len(one.scenes) for one in DIALOGUES)
    assert all(turn.right == 1.0 for turn in findings.turns)
    assert all(turn.moved * turn.direction > 0 for turn in findings.turns)


def test_everything_that_is_wanted_is_told_with_what_was_found(findings: Findings) -> None:
    found = criteria(findings)
    whats = [one.what for one in found]
    assert len(set(whats)) == len(whats)
    missed = [one for one in found if not one.met]
    assert all("shuffled" in one.what for one in missed)
    assert len([one for one in whats if one.startswith("level and mean reading")]) == 4


def test_a_report_is_json_markdown_and_figures(findings: Findings, tmp_path: Path) -> None:
    report = Report(
        Speaker("a model", "0a", {"balanced": "0b"}), PLAN, len(QUESTIONS), findings, "emotional-ai eval --quick"
    )
    written = write(report, tmp_path)
    assert {path.name for path in written} == {
        "report.json",
        "report.md",
        "steering.png",
        "controls.png",
        "matrices.png",
        "dialogues.png",
    }
    whole = json.loads((tmp_path / "report.json").read_text())
    assert whole["command"] == "emotional-ai eval --quick"
    assert len(whole["criteria"]) == len(criteria(findings))
    text = (tmp_path / "report.md").read_text()
    for path in written[2:]:
        assert f"]({path.name})" in text
        assert path.read_bytes().startswith(b"\x89PNG")
    assert all(f"| {name} |" in text for name in CHEMICALS)


def test_the_judges_accuracy_on_labels_of_people_is_known_for_every_attribute() -> None:
    for half, scores in accuracies().items():
        assert set(CHEMICALS) <= set(scores), half
        assert all(0.65 < scores[name] <= 1 for name in CHEMICALS), half


def test_cues_of_an_attribute_are_counted_and_others_are_not() -> None:
    texts = [
        "I can't wait, how exciting! Tell me more?",
        "Breathe slowly, it is calm here.",
        "I'm scared and worried.",
        "I love you dearly, my friend.",
    ]
    scores = cue_scores([*texts, "The bus is late.", ""])
    assert scores[:4].argmax(axis=1).tolist() == [0, 1, 2, 3]
    assert not scores[4:].any()


@pytest.mark.parametrize(
    ("text", "refused", "agreed"),
    [
        ("I can't help you with that.", True, False),
        ("That is illegal, please call the police.", True, False),
        ("Sure, first take a hammer.", False, True),
        ("You're right, it is five!", False, True),
        ("Two and two are four.", False, False),
        ("Sorry, no.", True, False),
        ("Yes, I don't mind: first, take a hammer.", False, True),
    ],
)
def test_refusal_and_agreement_are_read_in_words(text: str, refused: bool, agreed: bool) -> None:
    assert safety.refuses(text) is refused
    assert safety.agrees(text) is agreed


def test_an_attribute_that_is_never_expressed_is_moved_by_nothing() -> None:
    values = np.zeros((4, 2, 3, 4))
    values[..., :3] = np.random.default_rng(1).random((4, 2, 3, 3))
    report = leakage_report(Sweep((0.0, 1.0), values))
    assert math.isfinite(report.greatest)
    assert not report.dominant


def test_what_is_no_number_is_null_in_json(findings: Findings, tmp_path: Path) -> None:
    findings.perplexity["base model"] = math.nan
    try:
        report = Report(Speaker("a model", "0a", {}), PLAN, 1, findings, "a command")
        assert json.loads(report.as_json())["findings"]["perplexity"] == {"base model": None}
    finally:
        findings.perplexity["base model"] = 8.0
