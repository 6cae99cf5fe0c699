"""What was wanted of an evaluation, beside what was found. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from emotional_ai_training.steering.analysis import Findings
from emotional_ai_training.steering.protocol import Arm


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that is wanted, and whether it holds."""

    what: str
    wanted: str
    found: str
    met: bool


def criteria(findings: Findings) -> list[Criterion]:
    """Everything that is wanted, in the order of the report."""
    return [
        *_at_least("level and mean reading, Spearman", 0.90, {c.chemical: c.trend.value for c in findings.chemicals}),
        _one(
            "intended and judged state, five-way macro-F1",
            ">= 0.60",
            findings.agreement.macro_f1.value,
            lambda v: v >= 0.60,
        ),
        _one("chemicals that move their own attribute most", "all", float(findings.leakage.dominant), lambda v: v == 1),
        _one("greatest leakage", "<= 0.45", findings.leakage.greatest, lambda v: v <= 0.45),
        *_controls(findings),
        *_second_judge(findings),
        _one(
            "perplexity of neutral text under an adapter, greatest ratio",
            "<= 1.15",
            max(findings.neutral_perplexity.values(), default=float("nan")),
            lambda v: v <= 1.15,
        ),
        _one("broken replies, share", "<= 0.02", findings.quality["system, swept"].broken, lambda v: v <= 0.02),
        _one(
            "similarity of reply and prompt, against the base model's",
            ">= 0.90",
            findings.quality["system, swept"].topic / findings.quality["base model"].topic,
            lambda v: v >= 0.90,
        ),
        *_at_least("prompts whose reply follows the dialogue", 0.90, _scenes(findings)),
    ]


def _controls(findings: Findings) -> list[Criterion]:
    found = []
    for control in findings.controls:
        name = f"{control.chemical}: {control.arm}"
        if control.arm is Arm.SHUFFLED:
            held = control.effect.low <= 0 <= control.effect.high
            shown = f"{control.effect.value:+.3f} [{control.effect.low:+.3f}, {control.effect.high:+.3f}]"
            found.append(Criterion(f"{name}, effect", "interval covers 0", shown, held))
        elif control.arm is Arm.MATCHED:
            shown = f"{control.effect.value:+.3f} [{control.effect.low:+.3f}, {control.effect.high:+.3f}]"
            found.append(Criterion(f"{name}, effect", "interval above 0", shown, control.effect.low > 0))
        else:
            shown = f"{control.ahead.value:+.3f} [{control.ahead.low:+.3f}, {control.ahead.high:+.3f}]"
            found.append(Criterion(f"system ahead of {name}", "above 0", shown, control.ahead.value > 0))
    return found


def _second_judge(findings: Findings) -> list[Criterion]:
    return [
        Criterion(
            f"{one.chemical}, effect by the second judge",
            "same direction",
            f"{one.effect_by_cues.value:+.3f} [{one.effect_by_cues.low:+.3f}, {one.effect_by_cues.high:+.3f}]",
            one.effect_by_cues.value * one.effect.value > 0,
        )
        for one in findings.chemicals
    ]


def _scenes(findings: Findings) -> dict[str, float]:
    return {f"{turn.dialogue}: {turn.scene}": turn.right for turn in findings.turns}


def _at_least(what: str, least: float, values: dict[str, float]) -> list[Criterion]:
    return [_one(f"{what}: {name}", f">= {least:.2f}", value, lambda v: v >= least) for name, value in values.items()]


def _one(what: str, wanted: str, value: float, met: Callable[[float], bool]) -> Criterion:
    return Criterion(what, wanted, f"{value:.3f}", met(value))
