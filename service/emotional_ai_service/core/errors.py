"""What the core refuses.

CoreError
+-- InvalidConfiguration      a parameter outside its range, or parameters that contradict each other
|   +-- UnstableConfiguration the stability condition does not hold
+-- InvalidInput              a signal, level or time outside its range
    +-- TimeReversed          a moment before the last entry of a log
"""


class CoreError(ValueError):
    """A value the model refuses; `field` names it by its path in the contract."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.description = message


class InvalidConfiguration(CoreError):
    """A parameter outside its range, or parameters that contradict each other."""


class UnstableConfiguration(InvalidConfiguration):
    """max_i (sum_j |W_ij| + |kappa_i|) < 4 or sum_j beta_ij <= 1/2 does not hold."""


class InvalidInput(CoreError):
    """A signal, level or time outside its range."""


class TimeReversed(InvalidInput):
    """A moment before the last entry of a log."""
