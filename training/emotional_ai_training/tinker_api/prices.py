"""What a hosted run costs, before it starts.

Prices change and are not part of the API, so they are settings: dollars per million tokens, read off the provider's
page by whoever pays. A run whose price is unknown is refused rather than guessed.
"""

from dataclasses import dataclass

from emotional_ai_training.tinker_api.errors import CostRefused


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens a run will train on and sample, and what a million of each costs in US dollars (None: not known)."""

    trained_tokens: int
    sampled_tokens: int
    train_price: float | None
    sample_price: float | None

    @property
    def dollars(self) -> float | None:
        """The cost of the run, or None if a price is not known."""
        if self.train_price is None or self.sample_price is None:
            return None
        return (self.trained_tokens * self.train_price + self.sampled_tokens * self.sample_price) / 1e6

    def __str__(self) -> str:
        cost = "price unknown" if self.dollars is None else f"about ${self.dollars:.2f}"
        return f"{self.trained_tokens:,} tokens to train, {self.sampled_tokens:,} to sample: {cost}"


def check_cost(found: Estimate, most_dollars: float) -> None:
    """Raises CostRefused if the run costs more than `most_dollars`, or if nobody knows."""
    if found.dollars is None:
        raise CostRefused(
            f"{found}: set TINKER_TRAIN_PRICE and TINKER_SAMPLE_PRICE to the model's prices in dollars per million "
            "tokens; 0 for a server of your own"
        )
    if not found.dollars <= most_dollars:
        raise CostRefused(f"{found}: more than the {most_dollars:.2f} allowed; raise --max-cost-usd to go on")
