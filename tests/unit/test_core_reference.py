"""The numbers an independent solver computed, reproduced by the core."""

import json
from pathlib import Path
from typing import Any

import pytest

from emotional_ai_service.core.configuration import Circadian, Dynamics, Habituation, Mood
from emotional_ai_service.core.dynamics import Model
from emotional_ai_service.core.expression import Expression, ExpressionRule, express
from emotional_ai_service.core.labels import LABELS
from emotional_ai_service.core.names import CHEMICALS, NO_SIGNALS, SIGNALS, SignalVector
from emotional_ai_service.core.simulation import Event, Span, simulate
from emotional_ai_training.conditioning import ADAPTERS

REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "reference_trajectories.json").read_text())
TOLERANCE = 1e-9
Case = dict[str, Any]


def vector_of(signals: dict[str, float]) -> SignalVector:
    assert set(signals) <= set(SIGNALS)
    return tuple(signals.get(name, 0.0) for name in SIGNALS)


def dynamics_of(case: Case) -> Dynamics:
    given = REFERENCE["defaults"] | case["overrides"]
    assert set(case["overrides"]) <= {"time_scale", "clock0_h", "circadian_amp", "kappa", "tau_mood_min"}
    return Dynamics(
        baseline=tuple(given["baseline"]),
        half_life_minutes=tuple(given["half_life_min"]),
        coupling=tuple(map(tuple, given["W"])),
        buffering=tuple(map(tuple, given["beta"])),
        gains=tuple(tuple(given["G"][name]) for name in SIGNALS),
        tau_u_minutes=given["tau_u_min"],
        mood=Mood(tuple(given["kappa"]), given["tau_mood_min"]) if any(given["kappa"]) else None,
        circadian=Circadian(tuple(given["circadian_amp"]), given["circadian_peak_h"])
        if any(given["circadian_amp"])
        else None,
        time_scale=given["time_scale"],
    )


def worst_error(case: Case) -> float:
    samples = simulate(
        dynamics_of(case),
        case["t"],
        initial=tuple(case["x0"]),
        initial_mood=tuple(case["z0"]),
        events=[Event(event["t"], vector_of(event["signals"])) for event in case["events"]],
        sustained=[Span(span["t0"], span["t1"], vector_of(span["signals"])) for span in case["sustained"]],
        start_hour=(REFERENCE["defaults"] | case["overrides"])["clock0_h"],
    )
    computed = [sample.levels + sample.mood for sample in samples]
    expected = [x + z for x, z in zip(case["x"], case["z"], strict=True)]
    pairs = (pair for row in zip(computed, expected, strict=True) for pair in zip(*row, strict=True))
    return max(abs(a - b) for a, b in pairs)


def test_the_reference_names_the_same_chemicals_signals_labels_and_defaults() -> None:
    assert tuple(REFERENCE["chemicals"]) == CHEMICALS
    assert tuple(REFERENCE["signals"]) == SIGNALS
    assert tuple(REFERENCE["mapping_constants"]["adapters"]) == ADAPTERS
    assert tuple(REFERENCE["mapping_constants"]["labels"]) == LABELS
    assert dynamics_of({"overrides": {}}) == Dynamics()


def test_the_default_contraction_rate_is_the_published_one() -> None:
    assert Dynamics().contraction_rate() == pytest.approx(REFERENCE["lambda_per_min"], rel=1e-14)


@pytest.mark.parametrize("case", REFERENCE["cases"], ids=lambda case: case["name"])
def test_a_reference_trajectory_is_reproduced(case: Case) -> None:
    assert worst_error(case) <= TOLERANCE


def test_a_trajectory_that_is_off_by_a_little_is_noticed() -> None:
    case = next(case for case in REFERENCE["cases"] if case["name"] == "conversation")
    shifted = case | {"t": [*case["t"][:-1], case["t"][-1] + 1e-3]}
    assert worst_error(shifted) > 1e-7


@pytest.fixture(params=REFERENCE["mapping_cases"], ids=lambda case: case["tokens"])
def mapping(request: pytest.FixtureRequest) -> tuple[Case, Expression]:
    case: Case = request.param
    baseline = tuple(REFERENCE["mapping_constants"]["b"])
    return case, express(tuple(case["x"]), baseline, ExpressionRule(), LABELS.index(case["label"]))


def test_a_reference_state_blends_as_published(mapping: tuple[Case, Expression]) -> None:
    case, expression = mapping
    assert dict(expression.blend) == pytest.approx({name: case["blend"][name] for name in ADAPTERS}, abs=TOLERANCE)


def test_a_reference_state_samples_as_published(mapping: tuple[Case, Expression]) -> None:
    case, expression = mapping
    assert expression.temperature == pytest.approx(case["temperature"], abs=TOLERANCE)
    assert expression.top_p == pytest.approx(case["top_p"], abs=TOLERANCE)


def test_a_reference_state_is_put_into_tokens_and_words_as_published(mapping: tuple[Case, Expression]) -> None:
    case, expression = mapping
    assert expression.conditioning == case["tokens"]
    assert list(expression.level_words) == case["words"]


def test_a_reference_state_has_the_published_valence_and_arousal(mapping: tuple[Case, Expression]) -> None:
    case, expression = mapping
    assert [expression.valence, expression.arousal] == pytest.approx(case["pad"][:2], abs=TOLERANCE)


def test_a_reference_state_has_the_published_label(mapping: tuple[Case, Expression]) -> None:
    case, expression = mapping
    expected = [case["label_prob"][name] for name in LABELS]
    assert expression.label_probabilities == pytest.approx(expected, abs=TOLERANCE)
    assert LABELS[expected.index(max(expected))] == case["label"]
    assert LABELS[expression.label] == case["label"]


def test_a_repeated_signal_habituates_as_published() -> None:
    case = REFERENCE["habituation"]
    model = Model(Dynamics(habituation=Habituation(case["eta"], case["rho"], case["tau_min"])))
    signals = vector_of({"praise": case["a"]})
    habituation, before, heard = NO_SIGNALS, case["times"][0], []
    for time in case["times"]:
        habituation = model.recover(habituation, time - before)
        effective, habituation = model.habituate(habituation, signals)
        heard.append(effective[SIGNALS.index("praise")])
        before = time
    assert heard == pytest.approx(case["a_eff"], abs=TOLERANCE)
