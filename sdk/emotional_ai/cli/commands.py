"""What can be typed after a slash in a conversation at a terminal."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from emotional_ai.cli import figures, otherwise, past
from emotional_ai.cli.expressing import redialled, shown
from emotional_ai.cli.feed import Glimpse, glimpse
from emotional_ai.cli.output import CommandFailed
from emotional_ai.cli.state import intensities
from emotional_ai.client import Client
from emotional_ai.stimuli import SIGNALS
from emotional_ai.v1.engine_pb2 import Chemistry, Signals

HELP: Final = """\
/state              how the agent feels now, in numbers
/why                which signals moved it since this chat began, and what happened, numbered
/why not N...       how it would feel had N not happened
/signal NAME=VALUE  let something happen to it, such as /signal threat=0.6 loss=0.2
/skip MINUTES       let simulated minutes pass at once
/intensity SHARE    express that share of what it feels, 0 to 1; without SHARE, say which it is
/history            how it came here, since the session began
/reset              put it back to its baseline; the conversation goes on
/quit               leave (so does Ctrl-D)
Ctrl-C while the agent speaks stops it."""
NUMBER: Final = re.compile("[1-9][0-9]{0,17}")
MOST_MINUTES: Final = 10_000_000


class Commands:
    """The commands of one conversation, which began at `began`.

    `say` prints lines, `show` the state as it is after something moved it.
    """

    def __init__(
        self,
        client: Client,
        session_id: str,
        baseline: Chemistry,
        began: Timestamp,
        say: Callable[[str], None],
        show: Callable[[Glimpse], None],
    ) -> None:
        self._client = client
        self._session_id = session_id
        self._baseline = baseline
        self._began = began
        self._say = say
        self._show = show
        self._plain: Mapping[str, Callable[[], None]] = {
            "/help": lambda: self._say(HELP),
            "/state": self._state,
            "/history": self._history,
            "/reset": self._reset,
        }
        self._with_words: Mapping[str, Callable[[Sequence[str]], None]] = {
            "/why": self._why,
            "/signal": self._signal,
            "/skip": self._skip,
            "/intensity": self._intensity,
        }

    def carry_out(self, text: str) -> None:
        """Carries out a line that begins with a slash. Raises CommandFailed, and what the client raises."""
        name, *words = text.split()
        if name in self._with_words:
            self._with_words[name](words)
        elif name not in self._plain:
            raise CommandFailed(f"there is no command {name}; /help lists them")
        elif words:
            raise CommandFailed(f"{name} takes nothing after it, got {' '.join(words)!r}")
        else:
            self._plain[name]()

    def _state(self) -> None:
        seen = glimpse(self._client, self._session_id)
        self._say(figures.feeling(seen.state))
        self._say(figures.state_table(seen.state, self._baseline))
        self._say(figures.voice(seen.expression))

    def _history(self) -> None:
        told = self._client.history(self._session_id, points=past.SPARK_POINTS)
        for line in past.history_lines(told, self._baseline):
            self._say(line)

    def _reset(self) -> None:
        self._say(f"now {figures.feeling(self._client.reset_session(self._session_id))}")

    def _why(self, words: Sequence[str]) -> None:
        if words[:1] == ["not"]:
            self._why_not(words[1:])
            return
        if words:
            raise CommandFailed(f"/why stands alone, or before `not` and numbers, got {' '.join(words)!r}")
        told = self._client.explain(self._session_id, start=self._began)
        for line in (*past.explained(told), *otherwise.happened(told)):
            self._say(line)

    def _why_not(self, words: Sequence[str]) -> None:
        wrong = [word for word in words if not NUMBER.fullmatch(word)]
        if wrong or not words:
            raise CommandFailed(
                "/why not needs the numbers of what happened, such as /why not 3; /why and /history show them"
                + (f", got {wrong[0]!r}" if wrong else "")
            )
        without = sorted({int(word) for word in words})
        told = self._client.counterfactual(self._session_id, without, points=2)
        for line in otherwise.had_not(told, without):
            self._say(line)

    def _signal(self, words: Sequence[str]) -> None:
        if not words:
            raise CommandFailed(f"give a signal, such as /signal reward=0.8; there are {', '.join(SIGNALS)}")
        try:
            heard = intensities(words)
        except typer.BadParameter as error:
            raise CommandFailed(error.message) from error
        self._client.apply(self._session_id, Signals(**heard))
        self._show(glimpse(self._client, self._session_id))

    def _intensity(self, words: Sequence[str]) -> None:
        if words:
            session = redialled(self._client, self._session_id, share_of(words), {})
        else:
            session = self._client.get_session(self._session_id)
        self._say(f"it {shown(session.config.expression)}")

    def _skip(self, words: Sequence[str]) -> None:
        self._client.skip(self._session_id, minutes_of(words))
        self._show(glimpse(self._client, self._session_id))


def share_of(words: Sequence[str]) -> float:
    """The share of /intensity. Raises CommandFailed for what is none."""
    try:
        (word,) = words
        share = float(word)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise CommandFailed(f"/intensity needs a number in [0, 1], such as /intensity 0.5, got {' '.join(words)!r}")
    return share


def minutes_of(words: Sequence[str]) -> float:
    """The minutes of /skip. Raises CommandFailed for what are none."""
    try:
        (word,) = words
        minutes = float(word)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes <= MOST_MINUTES:
        given = f", got {' '.join(words)!r}" if words else ""
        raise CommandFailed(f"/skip needs simulated minutes, more than 0 and at most {MOST_MINUTES}{given}")
    return minutes
