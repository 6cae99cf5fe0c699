"""What stands around every servicer of one server.

call -> observation -> gate, rules of the contract -> accounts -> servicer
"""

from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.descriptor import ServiceDescriptor

from emotional_ai_service.access import Gate
from emotional_ai_service.guard import guard
from emotional_ai_service.observing.observation import Observation
from emotional_ai_service.tenants.accounts import Accounts
from emotional_ai_service.validation import check

Servicer = TypeVar("Servicer")


@dataclass(frozen=True, slots=True)
class Edge:
    """The layers; those that no setting asks for cost nothing."""

    observation: Observation
    gate: Gate | None
    """None lets everybody in."""
    accounts: Accounts

    def around(self, servicer: Servicer, service: ServiceDescriptor) -> Servicer:
        """The servicer, in place, with every method of its service inside all of them."""
        guarded = guard(*self.accounts.around(servicer, service, check), self.gate)
        return self.observation.around(guarded, service)
