"""From rounds to a result: medians with quartiles, and each ratio against what is wanted of it."""

from collections.abc import Iterable, Sequence
from statistics import median, quantiles

from apparatus.course import Round
from apparatus.outcome import Row
from apparatus.scenes import Ratio


def speeds(rounds: Sequence[Round]) -> list[Row]:
    """Tokens per second of every scene."""
    return [{"scene": key, **spread([one.speeds[key] for one in rounds])} for key in _measured(rounds)]


def ratios(rounds: Sequence[Round], wanted: Sequence[Ratio]) -> list[Row]:
    """Those whose scenes were measured."""
    rows: list[Row] = []
    measured = _measured(rounds)
    for ratio in wanted:
        over = [key for key in ratio.over if key in measured]
        if ratio.of in measured and over:
            values = [one.speeds[ratio.of] / max(one.speeds[key] for key in over) for one in rounds]
            rows.append(_judged(ratio.name, values, ratio.wanted))
    return rows


def switching(rounds: Sequence[Round]) -> list[Row]:
    """A switched blend, in milliseconds, and how many of ours one of PEFT's takes."""

    def ms(name: str, field: str = "seconds") -> list[float]:
        return [one.extras[name][field] * 1e3 for one in rounds]

    ours = ms("switch")
    return [
        {"what": "ours, from a voice to its weights, ms", **spread(ours), "wanted": 0.1, "met": median(ours) <= 0.1},
        {"what": "ours, the weights alone, ms", **spread(ms("switch", "spread_seconds"))},
        {"what": "PEFT add_weighted_adapter(cat), ms", **spread(ms("switch_cat"))},
        {"what": "PEFT set_scale of all layers, ms", **spread(ms("switch_scales"))},
        _judged("against add_weighted_adapter(cat)", _over(ms("switch_cat"), ours), 1000),
        _judged("against set_scale", _over(ms("switch_scales"), ours), 0),
    ]


def waiting(rounds: Sequence[Round]) -> list[Row]:
    """First tokens and swapped adapters, in milliseconds."""
    told = (
        ("first token of 200, alone", "first_token", "seconds"),
        ("first token of 200, 8 others speaking", "first_token_beside_8", "seconds"),
        ("longest pause of the others meanwhile", "first_token_beside_8", "pause_seconds"),
        ("first token with an adapter's new content", "swap", "seconds"),
        ("first token of such a prompt otherwise", "swap", "usual_seconds"),
    )
    return [{"what": f"{n}, ms", **spread([r.extras[name][f] * 1e3 for r in rounds])} for n, name, f in told]


def disturbance(rounds: Sequence[Round]) -> Row:
    """The share of the processors that others took, over all turns: with much of it, ratios are those of a busy machine."""
    return spread([share for one in rounds for share in one.others])


def _measured(rounds: Sequence[Round]) -> list[str]:
    """Scenes measured in every round."""
    return [key for key in rounds[0].speeds if all(key in one.speeds for one in rounds)]


def _judged(name: str, values: Sequence[float], wanted: float) -> Row:
    row: Row = {"what": name, **spread(values)}
    return {**row, "wanted": wanted, "met": median(values) >= wanted} if wanted else row


def _over(one: Iterable[float], other: Iterable[float]) -> list[float]:
    return [a / b for a, b in zip(one, other, strict=True)]


def spread(values: Sequence[float]) -> Row:
    """Median and quartiles, to four digits."""
    ordered = list(values) * (3 if len(values) == 1 else 1)  # quartiles want two values
    low, _, high = quantiles(ordered, n=4, method="inclusive")
    return {"median": _short(median(values)), "low": _short(low), "high": _short(high)}


def _short(value: float) -> float:
    """Four digits."""
    return float(f"{value:.4g}")
