"""An innkeeper of a game: what happens in her inn moves her mood, her mood sets her prices, and she says so in words.

    emotional-ai serve                                        # in another terminal
    python examples/game_character.py --seed 7                # one evening, then the inn closes
    printf 'tip\\nbrawl\\n' | python examples/game_character.py --events -

The game decides what an event means, so nothing is appraised: `apply` moves the mood, `skip` lets the game's own clock pass,
`generate` speaks under the session without changing it. The same seed plays the same evening.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from emotional_ai import (
    BigFive,
    ChatMessage,
    Client,
    DynamicsConfig,
    EmotionalAIError,
    EmotionalState,
    EmotionLabel,
    Role,
    Sampling,
    SessionConfig,
    Signals,
)
from emotional_ai.connection import DEFAULT_TARGET, start_command
from emotional_ai.names import label

PERSONA = "You are Marta, the innkeeper of the Grey Goose. You answer your guests in one short sentence."
MINUTES_BETWEEN = 15.0
"""Game minutes from one event to the next."""
FAIR_PRICE = 10
REFUSES = {
    EmotionLabel.EMOTION_LABEL_ANGER,
    EmotionLabel.EMOTION_LABEL_ANXIETY,
    EmotionLabel.EMOTION_LABEL_FEAR,
}
"""Moods in which she lets no rooms."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that can happen in the inn."""

    seen: str
    """What the player sees."""
    means: Signals
    """What it means to her."""
    asked: str
    """What a guest then says to her."""


EVENTS = {
    "tip": Event("A guest leaves a gold coin.", Signals(reward=0.7, praise=0.3), "The stew was good, Marta."),
    "song": Event("A bard begins to play.", Signals(novelty=0.6, relaxation=0.5), "Do you like the song?"),
    "thanks": Event("An old friend embraces her.", Signals(social_warmth=0.9), "It is good to see you again."),
    "theft": Event("The cash box is gone.", Signals(loss=0.8, threat=0.4), "What happened to the cash box?"),
    "brawl": Event("Two guests draw knives.", Signals(threat=0.9, conflict=0.5), "What shall we do, Marta?"),
    "quiet": Event("Rain, and nobody comes.", Signals(boredom=0.7), "A slow evening, is it not?"),
}
EVENING = ("tip", "song", "theft", "brawl", "quiet", "thanks")


class Innkeeper:
    """Marta, who lives in a session of her own. Her clock is the game's: it stands still between events."""

    def __init__(self, client: Client, seed: int) -> None:
        self._client = client
        self._seed = seed
        self._events = 0
        character = DynamicsConfig(
            personality=BigFive(
                openness=0.6, conscientiousness=0.7, extraversion=0.7, agreeableness=0.7, neuroticism=0.6
            ),
            time_scale=0,
        )
        self.session_id = client.create_session(config=SessionConfig(dynamics=character)).session_id

    def lives_through(self, event: Event) -> EmotionalState:
        """Time passes, then it happens to her."""
        self._events += 1
        self._client.skip(self.session_id, MINUTES_BETWEEN)
        return self._client.apply(self.session_id, event.means, note=event.seen)

    def answers(self, asked: str) -> Iterator[str]:
        """What she says, piece by piece, in the mood she is in."""
        messages = [
            ChatMessage(role=Role.ROLE_SYSTEM, content=PERSONA),
            ChatMessage(role=Role.ROLE_USER, content=asked),
        ]
        sampling = Sampling(seed=self._seed + self._events, max_tokens=40)
        with self._client.generate(messages, under=self.session_id, sampling=sampling) as reply:
            yield from map(printable, reply.pieces())

    def leaves(self) -> None:
        """Her session ends with the game."""
        self._client.delete_session(self.session_id)


def price(mood: EmotionalState) -> str:
    """What a room costs: the better her mood the less, and nothing can be had while she is angry or afraid."""
    return "no rooms tonight" if mood.label in REFUSES else f"a room is {round(FAIR_PRICE * (1 - mood.valence))} coins"


def play(marta: Innkeeper, names: Iterable[str]) -> None:
    """One event after another."""
    for name in names:
        if name not in EVENTS:
            print(f"Nobody knows what {printable(name)!r} is; there are {', '.join(EVENTS)}.")
            continue
        event = EVENTS[name]
        mood = marta.lives_through(event)
        print(f"\n{event.seen}  [{label(mood.label)}, valence {mood.valence:+.2f}; {price(mood)}]")
        print(f"Guest: {event.asked}\nMarta: ", end="", flush=True)
        for piece in marta.answers(event.asked):
            print(piece, end="", flush=True)
        print()


def printable(text: str) -> str:
    """A model can say anything; what could steer a terminal is left out."""
    return "".join(char if char.isprintable() else " " for char in text)


def typed(lines: Iterable[str]) -> Iterator[str]:
    """The names of events, a line each, blank ones left out."""
    return (line.strip() for line in lines if line.strip())


def main(arguments: Sequence[str]) -> int:
    """Plays; 0 when the evening is over, 1 if the service could not be asked."""
    parser = argparse.ArgumentParser(description="An evening with an innkeeper who has moods.")
    parser.add_argument(
        "--seed", type=int, default=7, help="the same seed plays the same evening (default: %(default)s)"
    )
    parser.add_argument("--events", choices=["-"], help="read the names of events from standard input, a line each")
    parser.add_argument("--target", default=os.environ.get("EMOTIONAL_AI_TARGET", DEFAULT_TARGET), help="the service")
    given = parser.parse_args(arguments)
    with Client(given.target) as client:
        try:
            marta = Innkeeper(client, given.seed)
            try:
                play(marta, typed(sys.stdin) if given.events else EVENING)
            finally:
                marta.leaves()
        except EmotionalAIError as error:
            print(f"error: {error}", file=sys.stderr)
            if not error.reason:
                print(f"is a service there? start one: {start_command(given.target)}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print()
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
