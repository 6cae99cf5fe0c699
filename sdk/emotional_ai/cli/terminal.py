"""A conversation at a terminal: replies stream while a panel shows the state move."""

from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from emotional_ai.cli.commands import Commands
from emotional_ai.cli.feed import Feed, Glimpse, glimpse
from emotional_ai.cli.output import CommandFailed, printable, told
from emotional_ai.cli.panel import Voice, panel
from emotional_ai.cli.talk import Conversation
from emotional_ai.client import Client
from emotional_ai.errors import EmotionalAIError
from emotional_ai.limits import LONGEST_TEXT
from emotional_ai.v1.inference_pb2 import BlendChange, Sampling

REFRESHES_PER_SECOND: Final = 8
PANEL_LINES: Final = 20
"""Lines the panel may take, and the prompt's."""
PROMPT: Final = "you: "


class Terminal:
    """Reads turns from the keyboard until /quit or Ctrl-D."""

    def __init__(self, client: Client, session_id: str, sampling: Sampling, *, fixed_blend: bool = False) -> None:
        self._client = client
        self._session_id = session_id
        session = client.get_session(session_id)
        self._baseline = session.config.dynamics.baseline
        self._console = Console(highlight=False)
        self._conversation = Conversation(
            client, session_id, sampling, self._hear, self._notice, self._move, fixed_blend=fixed_blend
        )
        self._reply = ""
        self._voice: Voice | None = None
        self._moves = 0
        self._commands = Commands(client, session_id, self._baseline, session.state.time, self._print, self._show)

    def run(self) -> None:
        """The conversation, from greeting to goodbye."""
        import readline  # noqa: F401  # gives `input` editing and history

        self._show(glimpse(self._client, self._session_id))
        self._print("/help lists the commands.")
        while (text := self._read()) is not None:
            if text == "/quit":
                return
            if text:
                self._carry_out(text)

    def _read(self) -> str | None:
        """A line without the blanks around it; None at the end of input."""
        try:
            text = input(PROMPT).strip()
            text.encode("utf-8")
        except EOFError:
            self._print("")
            return None
        except KeyboardInterrupt:
            self._print("\n(Ctrl-D or /quit leaves)")
            return ""
        except UnicodeError:
            self._print("error: that was not UTF-8 text")
            return ""
        return text

    def _carry_out(self, text: str) -> None:
        try:
            if text.startswith("/"):
                self._commands.carry_out(text)
            else:
                self._turn(text)
        except EmotionalAIError as error:
            self._print(f"error: {told(error)}")
        except CommandFailed as error:
            self._print(f"error: {error}")
        except KeyboardInterrupt:
            self._print("(stopped)")

    def _turn(self, text: str) -> None:
        if len(text) > LONGEST_TEXT:
            raise CommandFailed(f"that has {len(text)} characters; a turn has at most {LONGEST_TEXT}")
        self._reply, self._voice, self._moves = "", None, 0
        first = glimpse(self._client, self._session_id)
        with Feed(self._client, self._session_id, first) as feed:
            try:
                with Live(
                    console=self._console,
                    get_renderable=lambda: self._speaking(feed.latest),
                    refresh_per_second=REFRESHES_PER_SECOND,
                    transient=True,
                ):
                    turn = self._conversation.turn(text)
                self._voice = Voice.of(turn.finished.applied)
            finally:
                if self._reply:
                    self._print(f"agent: {self._reply}")
        self._show(glimpse(self._client, self._session_id))

    def _speaking(self, seen: Glimpse) -> RenderableType:
        """The reply so far above the panel; of a long one the end, so that both fit the screen."""
        spoken = Text(f"agent: {self._reply}")
        shown = spoken.wrap(self._console, self._console.width)[-max(self._console.height - PANEL_LINES, 1) :]
        return Group(Text("\n").join(shown), self._panel(seen))

    def _panel(self, seen: Glimpse) -> RenderableType:
        return panel(seen, self._baseline, self._voice)

    def _hear(self, piece: str) -> None:
        self._reply += printable(piece)

    def _move(self, change: BlendChange) -> None:
        self._moves += 1
        self._voice = Voice.moved(change, self._moves)

    def _notice(self, text: str) -> None:
        self._print(f"({text})")

    def _show(self, seen: Glimpse) -> None:
        self._console.print(self._panel(seen))

    def _print(self, text: str) -> None:
        self._console.print(Text(text))
