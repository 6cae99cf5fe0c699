"""Flags of the command line about safety of use: the guard over what is said, and what is disclosed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from emotional_ai_service.safeguard import Notice, Rule, RulesUnusable, built_in, rules_from
from emotional_ai_service.settings import SafetySettings

BUILT_IN: Final = "built-in"
OFF: Final = "off"
LONGEST_NOTICE: Final = 1_000

Guard = Annotated[
    list[str] | None,
    typer.Option(
        "--safeguard",
        metavar="built-in|off|FILE",
        help="Rules for what a person says; expression is lowered where one applies. A word list for English is built in; a "
        "FILE is TOML. Can be given several times.",
        show_default=BUILT_IN,
    ),
]
Disclosure = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT", help='Told with the first reply of a session and now and then, as in "You talk to a program."'
    ),
]
DisclosureEvery = Annotated[
    int | None,
    typer.Option(
        "--disclosure-every", min=1, max=10_000, help="Tell it again after so many replies.", show_default="10"
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyFlags:
    """What was given; None for what was not."""

    safeguard: Sequence[str] | None
    disclosure: str | None
    disclosure_every: int | None

    @property
    def any_given(self) -> bool:
        """Whether there is any."""
        return bool(self.safeguard) or self.disclosure is not None or self.disclosure_every is not None


def safety_of(flags: SafetyFlags, *, speaks: bool = True) -> SafetySettings:
    """The settings the flags describe, for a service that speaks or does not.

    Raises BadParameter for flags that have no use, rules that cannot be, and a notice that is none.
    """
    if not speaks and flags.any_given:
        raise typer.BadParameter(
            "serves no language, so a guard or a disclosure has no use", param_hint="--engine-only"
        )
    standard = Notice()
    text = " ".join((flags.disclosure or "").split())
    if flags.disclosure is not None and not 1 <= len(text) <= LONGEST_NOTICE:
        raise typer.BadParameter(f"must be a text of 1 to {LONGEST_NOTICE} characters", param_hint="--disclosure")
    if flags.disclosure_every is not None and not text:
        raise typer.BadParameter("needs --disclosure, what to tell", param_hint="--disclosure-every")
    return SafetySettings(
        _rules(flags.safeguard or (BUILT_IN,)), Notice(text, flags.disclosure_every or standard.every)
    )


def _rules(given: Sequence[str]) -> tuple[Rule, ...]:
    if OFF in given and len(given) > 1:
        raise typer.BadParameter("`off` stands alone", param_hint="--safeguard")
    try:
        rules = tuple(rule for one in given if one != OFF for rule in _named(one))
    except RulesUnusable as error:
        raise typer.BadParameter(str(error), param_hint="--safeguard") from error
    names = [rule.name for rule in rules]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise typer.BadParameter(f"two rules are called {twice}; rename one", param_hint="--safeguard")
    return rules


def _named(one: str) -> tuple[Rule, ...]:
    return built_in() if one == BUILT_IN else rules_from(Path(one))
