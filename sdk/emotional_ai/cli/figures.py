"""States as text: bars, sparklines, one-line summaries."""

from collections.abc import Iterable, Sequence
from typing import Final

from emotional_ai.cli.output import aligned
from emotional_ai.names import label, levels, signals
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1 import engine_pb2, inference_pb2

SPARKS: Final = "▁▂▃▄▅▆▇█"
BAR_WIDTH: Final = 24
LEAST_WEIGHT: Final = 0.005
"""Least weight of an adapter that does not read as 0.00."""


def bar(level: float, baseline: float, width: int = BAR_WIDTH) -> str:
    """A level in [0, 1] as a bar of `width` characters; `|` marks the baseline."""
    filled = round(level * width)
    mark = min(int(baseline * width), width - 1)
    return "".join("|" if cell == mark else "█" if cell < filled else "·" for cell in range(width))


def sparkline(values: Sequence[float]) -> str:
    """Values in [0, 1] as one character each."""
    return "".join(SPARKS[min(int(value * len(SPARKS)), len(SPARKS) - 1)] for value in values)


def named(numbers: dict[str, float], digits: int = 2) -> str:
    """Such as "reward 0.80, praise 0.20"; "nothing" if there are none."""
    return ", ".join(f"{name} {value:.{digits}f}" for name, value in numbers.items()) or "nothing"


def state_table(state: engine_pb2.EmotionalState, baseline: engine_pb2.Chemistry) -> str:
    """The four levels beside their baselines."""
    at_rest = levels(baseline)
    rows = [
        (name, f"{level:.3f}", f"{level - at_rest[name]:+.3f}", bar(level, at_rest[name]))
        for name, level in levels(state.chemistry).items()
    ]
    return aligned([("chemical", "level", "from rest", "0" + "1".rjust(BAR_WIDTH - 1)), *rows])


def state_line(state: engine_pb2.EmotionalState) -> str:
    """A state on one line."""
    return (
        f"{label(state.label)}  {'  '.join(f'{name} {level:.2f}' for name, level in levels(state.chemistry).items())}"
        f"  valence {state.valence:+.2f}  arousal {state.arousal:+.2f}"
    )


def feeling(state: engine_pb2.EmotionalState) -> str:
    """Label, valence, arousal and what is sustained."""
    held = signals(state.sustained)
    return f"{label(state.label)}, valence {state.valence:+.2f}, arousal {state.arousal:+.2f}" + (
        f"; sustained: {named(held, 3)}" if held else ""
    )


def voice(expression: inference_pb2.Expression) -> str:
    """How a state speaks: sampling, conditioning tokens and the blend it asks for."""
    weights = ", ".join(f"{one.adapter} {one.weight:.2f}" for one in expression.blend if one.weight)
    return (
        f"temperature {expression.temperature:.2f}, top_p {expression.top_p:.2f}\n"
        f"tokens {expression.conditioning}\nasks for {weights or 'no blend'}"
    )


def weights(blend: Iterable[inference_pb2.AdapterWeight]) -> str:
    """Such as "high_dopamine 0.60, balanced 0.40"; "the base model" where nothing is noticeable."""
    told = [
        f"{one.adapter} {'per layer' if one.layer_weights else f'{one.weight:.2f}'}"
        for one in blend
        if one.layer_weights or abs(one.weight) >= LEAST_WEIGHT
    ]
    return ", ".join(told) or "the base model"


def spoken(applied: inference_pb2.AppliedExpression) -> str:
    """Who spoke a reply, how, and how often the voice moved."""
    modes = inference_pb2.BlendMode
    mode = modes.Name(applied.blend_mode).removeprefix("BLEND_MODE_").lower()
    how = f" ({mode})" if applied.blend_mode not in (modes.BLEND_MODE_UNSPECIFIED, modes.BLEND_MODE_EXACT) else ""
    moves = max(len(applied.changes) - 1, 0)
    return weights(applied.blend) + how + (f", moved {moves} times" if moves > 1 else ", moved once" if moves else "")


def happening(entry: engine_pb2.LogEntry) -> str:
    """What a log entry brought, in a word or two, such as "threat" or "praise (held)"; empty for the first entry."""
    stimulus = entry.stimulus
    match stimulus.WhichOneof("effect") if entry.HasField("stimulus") else entry.WhichOneof("effect"):
        case "event":
            return strongest(stimulus.event)
        case "sustained":
            held = stimulus.sustained.signals
            return f"{strongest(held)} (held)" if signals(held) else "let go"
        case "skip_minutes":
            return f"+{stimulus.skip_minutes:g} min"
        case "reset":
            return "reset"
        case "configured":
            return "configured"
        case _:
            return ""


def strongest(message: engine_pb2.Signals) -> str:
    """The name of the strongest signal; "nothing" if there is none."""
    heard = signals(message)
    return max(heard, key=lambda name: heard[name]) if heard else "nothing"


def spark_rows(samples: Sequence[engine_pb2.EmotionalState], baseline: engine_pb2.Chemistry) -> str:
    """One sparkline per chemical over the span."""
    rest = levels(baseline)
    rows: list[tuple[str, ...]] = [("chemical", "rest", "least", "most", "last", "over the span")]
    for name in CHEMICALS:
        values = [getattr(sample.chemistry, name) for sample in samples]
        numbers = (rest[name], min(values), max(values), values[-1])
        rows.append((name, *(f"{number:.3f}" for number in numbers), sparkline(values)))
    return aligned(rows)
