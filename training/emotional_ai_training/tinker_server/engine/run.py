"""A training run: an adapter, its gradient, and its optimizer.

A step needs the whole gradient it was meant for: one that follows no forward_backward, or a failed one, is refused.
"""

from collections.abc import Sequence
from enum import Enum, auto

from torch import Tensor

from emotional_ai_training.tinker_server.engine.adapter import Adapter, LoraSettings
from emotional_ai_training.tinker_server.engine.base import BaseModel
from emotional_ai_training.tinker_server.engine.losses import Loss
from emotional_ai_training.tinker_server.engine.optimizer import Adam, AdamParams
from emotional_ai_training.tinker_server.engine.passes import Datum, PassResult, run_pass
from emotional_ai_training.tinker_server.errors import InvalidRequest


class Gradient(Enum):
    """What has been gathered since the last step."""

    NONE = auto()
    WHOLE = auto()
    BROKEN = auto()


class Run:
    """One adapter in training over a base model that other runs share."""

    def __init__(self, run_id: str, base: BaseModel, settings: LoraSettings) -> None:
        self.run_id = run_id
        self.settings = settings
        self.adapter = Adapter(settings, base.layers, base.device)
        self.optimizer = Adam(self.adapter.flat)
        self._base = base
        self._gradient = self.adapter.trainable()
        self._state = Gradient.NONE

    def forward(self, data: Sequence[Datum], loss: Loss) -> PassResult:
        """Losses and log-probabilities; no gradient."""
        return run_pass(self._base, self.adapter, data, loss, backward=False)

    def forward_backward(self, data: Sequence[Datum], loss: Loss) -> PassResult:
        """As forward, and adds the gradient of the summed loss. What it raises spoils the gradient up to the next step."""
        whole = self._state is not Gradient.BROKEN
        self._state = Gradient.BROKEN
        result = run_pass(self._base, self.adapter, data, loss, backward=True)
        if whole:
            self._state = Gradient.WHOLE
        return result

    def spoil(self) -> None:
        """A forward_backward was refused before it ran: the next step must not be taken."""
        self._state = Gradient.BROKEN

    def optim_step(self, params: AdamParams) -> float:
        """One step along the gradient, which is then forgotten; returns the gradient's norm before clipping.

        Raises InvalidRequest, and moves nothing, without a whole finite gradient.
        """
        state, self._state = self._state, Gradient.NONE
        try:
            if state is Gradient.NONE:
                raise InvalidRequest("no gradient since the last step: send forward_backward before optim_step")
            if state is Gradient.BROKEN:
                raise InvalidRequest(
                    "no gradient since the last step: a forward_backward before this optim_step failed"
                )
            if not bool(self._gradient.isfinite().all()):
                raise InvalidRequest("the gradient is not finite; the weights were left as they are")
            return self.optimizer.step(self._gradient, params)
        finally:
            self._gradient.zero_()

    def refuse_step(self) -> None:
        """A step was refused before it was tried: the gradient meant for it is forgotten."""
        self._state = Gradient.NONE
        self._gradient.zero_()

    def moments(self) -> tuple[Tensor, Tensor, int]:
        """The optimizer's state: first and second moments, and the steps taken."""
        return self.optimizer.first, self.optimizer.second, self.optimizer.steps

    def restore(self, tensors: dict[str, Tensor], moments: tuple[Tensor, Tensor, int] | None) -> None:
        """Takes saved weights, and the optimizer's state where it is given; else the optimizer begins anew."""
        self.adapter.load(tensors)
        self.optimizer = Adam(self.adapter.flat)
        if moments is not None:
            self.optimizer.load(*moments)
        self._gradient.zero_()
        self._state = Gradient.NONE
