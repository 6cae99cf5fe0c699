"""What each signal stands for, in words for clients and the models that read them."""

from collections.abc import Mapping
from typing import Final

MEANINGS: Final[Mapping[str, str]] = {
    "reward": "Joy; something good for a goal",
    "novelty": "Something new",
    "achievement": "Pride; success by one's own doing, such as tests that pass",
    "social_warmth": "Love or gratitude from another",
    "praise": "Admiration received",
    "relaxation": "Relief; things are in hand",
    "threat": "Fear; something bad that is hard to cope with",
    "uncertainty": "An unsure outcome",
    "rejection": "Reproach received",
    "loss": "Distress or disappointment, such as tests that fail",
    "conflict": "Anger",
    "boredom": "Nothing of interest",
}
"""By name, of every signal of the contract."""
