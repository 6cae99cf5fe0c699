"""What a reply must keep to, whatever is felt: a guard over what the person says, and what a client is to disclose.

safeguard      the Protocol of a guard, and what one finds
phrase         phrases, looked for in time that grows with the text alone
rules          a guard of rules, each of phrases
file           rules from a TOML file, those that are built in among them
oversight      what one reply must keep to, with what still holds from before

The built-in rules are a word list for English: it misses, and it gives false alarms. specs/safety says how many were counted.
"""

from emotional_ai_service.safeguard.file import RulesUnusable, built_in, rules_from
from emotional_ai_service.safeguard.oversight import UNRESTRAINED, Notice, Oversight, Restraint
from emotional_ai_service.safeguard.rules import Rule, Rules
from emotional_ai_service.safeguard.safeguard import NOTHING_FOUND, Found, Lasting, Off, Safeguard

__all__ = [
    "NOTHING_FOUND",
    "UNRESTRAINED",
    "Found",
    "Lasting",
    "Notice",
    "Off",
    "Oversight",
    "Restraint",
    "Rule",
    "Rules",
    "RulesUnusable",
    "Safeguard",
    "built_in",
    "rules_from",
]
