"""One reply during which things happen to the agent: its words, and the blend each was spoken with, as a picture.

    emotional-ai serve                                        # in another terminal
    python examples/live_blend.py specs/images/live_blend.png

While the agent speaks a threat reaches the session, then kindness. Needs the extras [cli] and a running service.
"""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure

from emotional_ai import Client
from emotional_ai.v1 import inference_pb2 as pb

TARGET = os.environ.get("EMOTIONAL_AI_TARGET", "127.0.0.1:50051")
ASKED = "Tell me a long story about the sea, and how you feel about it."
HAPPENS = {8: {"threat": 1.0}, 20: {"social_warmth": 1.0, "relaxation": 1.0}}
"""Signals by the number of tokens after which they reach the session."""
COLOURS = {
    "high_dopamine": "#E69F00",
    "high_serotonin": "#0072B2",
    "high_cortisol": "#D55E00",
    "high_oxytocin": "#009E73",
    "balanced": "#BBBBBB",
}


@dataclass
class Spoken:
    """What was said, and with which blend from which token on."""

    words: list[tuple[int, str]] = field(default_factory=list)
    changes: list[pb.BlendChange] = field(default_factory=list)


def speak(client: Client) -> Spoken:
    """A reply of a fresh session to which things happen meanwhile."""
    session = client.create_session().session_id
    spoken, waiting = Spoken(), dict(HAPPENS)
    with client.converse(session, ASKED, sampling=pb.Sampling(seed=3, max_tokens=90)) as reply:
        for event in reply:
            if event.HasField("text"):
                spoken.words.append((event.text.token_index, event.text.text))
                for after in [after for after in waiting if event.text.token_index >= after]:
                    client.apply(session, **waiting.pop(after))
    assert reply.applied is not None
    spoken.changes.extend(reply.applied.changes)
    return spoken


def draw(spoken: Spoken, path: Path) -> None:
    """The blend over the tokens, a stacked area, with the words below."""
    last = spoken.words[-1][0] + 1
    weights = {name: [0.0] * last for name in COLOURS}
    for change, following in zip(spoken.changes, [*spoken.changes[1:], None], strict=True):
        until = following.token_index if following else last
        for part in change.blend:
            weights[part.adapter][change.token_index : until] = [part.weight] * (until - change.token_index)
    figure = Figure(figsize=(14, 5), layout="constrained")
    axes = figure.subplots()
    axes.stackplot(range(last), weights.values(), labels=weights, colors=COLOURS.values(), step="post")
    for after, signals in HAPPENS.items():
        axes.axvline(after, color="black", linestyle="--", linewidth=1)
        axes.annotate("\n".join(signals), (after, 1.02), annotation_clip=False, fontsize=9)
    axes.set(xlim=(0, last - 1), ylim=(0, 1), ylabel="weight of each adapter", title=f"“{ASKED}”\n\n\n")
    axes.set_xticks([at for at, _ in spoken.words], [word.strip() for _, word in spoken.words], rotation=90, fontsize=8)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Speaks and draws."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).parent.is_dir():
        sys.exit("name the picture to write, in a folder that is there: python examples/live_blend.py PICTURE.png")
    with Client(TARGET) as client:
        spoken = speak(client)
    print("".join(word for _, word in spoken.words))
    draw(spoken, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
