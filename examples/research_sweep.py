"""A notebook as a script: which signals move a chemical and how far, and a session's history as arrays.

    emotional-ai serve                                        # in another terminal
    python examples/research_sweep.py PICTURES                # a folder for the pictures

Editors that know `# %%` run it cell by cell. Needs the extra [cli], which brings matplotlib and numpy.
"""

# %% Where the service is and where the pictures go
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
from matplotlib.figure import Figure

from emotional_ai import CHEMICALS, SIGNALS, Client, EmotionalState, Signals, Stimulus
from emotional_ai.v1 import engine_pb2 as pb

TARGET = os.environ.get("EMOTIONAL_AI_TARGET", "127.0.0.1:50051")
PICTURES = Path(sys.argv[1] if len(sys.argv) == 2 else ".")
COLOURS = dict(zip(CHEMICALS, ("#E69F00", "#0072B2", "#D55E00", "#009E73"), strict=True))
if not PICTURES.is_dir():
    sys.exit(f"{PICTURES} is no folder; name one that is there: python examples/research_sweep.py PICTURES")

# %% Sweep: each signal alone, at eleven intensities, computed without a session
client = Client(TARGET)
CHEMICAL = "cortisol"
MINUTES = np.linspace(0, 120, 121)
INTENSITIES = np.linspace(0, 1, 11)


def after(signal: str, intensity: float) -> np.ndarray:
    """The chemical at each minute after one event at minute 0."""
    event = pb.SimulatedEvent(time=0, signals=Signals(**{signal: intensity}))
    samples = client.simulate(MINUTES.tolist(), events=[event])
    return np.array([getattr(sample.chemistry, CHEMICAL) for sample in samples])


sweep = np.array([[after(signal, intensity) for intensity in INTENSITIES] for signal in SIGNALS])
moved = sweep[:, :, 0] - sweep[:, :1, 0]
order = np.argsort(-np.abs(moved[:, -1]))
print(f"{CHEMICAL}, swept: {' x '.join(map(str, sweep.shape))} (signals, intensities, minutes)")
for row in order[:5]:
    print(
        f"  {SIGNALS[row]:<14} {moved[row, -1]:+.3f} at once, {sweep[row, -1, 60] - sweep[row, 0, 60]:+.3f} an hour later"
    )

# %% The dose and its response, and how the strongest signal fades
figure = Figure(figsize=(11, 4), layout="constrained")
dose, fading = figure.subplots(1, 2)
for row, look in zip(order[:5], ("o-", "s--", "^-.", "D:", "v-"), strict=True):
    dose.plot(INTENSITIES, moved[row], look, color="0.2", markersize=4, linewidth=1, label=SIGNALS[row])
dose.set(xlabel="intensity", ylabel=f"change of {CHEMICAL} at once")
dose.legend(frameon=False)
for column, intensity in enumerate(INTENSITIES):
    fading.plot(MINUTES, sweep[order[0], column], color=COLOURS[CHEMICAL], alpha=0.2 + 0.8 * intensity)
fading.set(xlabel="simulated minutes", ylabel=CHEMICAL, ylim=(0, 1), title=f"after {SIGNALS[order[0]]} of 0 to 1")
figure.savefig(PICTURES / "sweep.png", dpi=110)

# %% A day to look at: a log can be written down and imported, here eight hours of one that is over
NINE = datetime(2026, 1, 5, 9, tzinfo=UTC)
DAY = {
    0.5: Signals(novelty=0.6),
    2: Signals(conflict=0.7, threat=0.4),
    4: Signals(social_warmth=0.8, praise=0.5),
    6.5: Signals(achievement=0.9),
}
export = pb.SessionExport(format="emotional-ai/session/1", session_id="day")
real_time = pb.SessionConfig(dynamics=pb.DynamicsConfig(time_scale=1))
export.entries.add(sequence=1, created=pb.SessionCreated(config=real_time)).time.FromDatetime(NINE)
for sequence, (hour, signals) in enumerate(DAY.items(), start=2):
    entry = export.entries.add(sequence=sequence, stimulus=Stimulus(event=signals))
    entry.time.FromDatetime(NINE + timedelta(hours=hour))
session_id = client.import_session(export, session_id=f"research-{uuid4().hex}").session_id

# %% Its history, and the same day without the quarrel, as arrays: a row per moment, a column per chemical
FIVE = NINE + timedelta(hours=8)


def levels(states: Sequence[EmotionalState]) -> np.ndarray:
    """States as an array of shape (moments, 4)."""
    return np.array([[getattr(state.chemistry, name) for name in CHEMICALS] for state in states])


history = client.history(session_id, start=NINE, end=FIVE, points=481)
otherwise = client.counterfactual(session_id, [3], start=NINE, end=FIVE, points=481)
hours = np.array([(one.time.ToDatetime(tzinfo=UTC) - NINE).total_seconds() / 3600 for one in history.samples])
lived, spared = levels(history.samples), levels(otherwise.counterfactual)
feeling = np.array([(one.valence, one.arousal) for one in history.samples])
client.delete_session(session_id)
client.close()
print(f"history: {lived.shape[0]} moments, {lived.shape[1]} chemicals, {len(history.entries)} log entries")
for name, column, other in zip(CHEMICALS, lived.T, spared.T, strict=True):
    print(
        f"  {name:<10} {column.mean():.3f} on average, {column.std():.3f} spread, {other.mean():.3f} without the quarrel"
    )

# %% The day as curves, and as a path through valence and arousal
figure = Figure(figsize=(11, 4), layout="constrained")
curves, plane = figure.subplots(1, 2, width_ratios=(2, 1))
for name, column, other in zip(CHEMICALS, lived.T, spared.T, strict=True):
    curves.plot(hours, column, color=COLOURS[name], label=name)
    curves.plot(hours, other, color=COLOURS[name], linestyle=":")
for hour in DAY:
    curves.axvline(hour, color="0.7", linewidth=0.8, zorder=0)
curves.set(xlabel="hours", ylabel="level (dotted: without the quarrel)", ylim=(0, 1))
curves.legend(frameon=False, ncols=4, loc="lower center")
plane.plot(*feeling.T, color="0.8", zorder=0)
figure.colorbar(plane.scatter(*feeling.T, c=hours, s=6, cmap="cividis"), ax=plane, label="hours")
plane.set(xlabel="valence", ylabel="arousal")
figure.savefig(PICTURES / "day.png", dpi=110)
