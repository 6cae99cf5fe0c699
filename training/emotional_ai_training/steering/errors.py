"""What an evaluation refuses.

SteeringError
+-- RepliesUnusable     a file of replies is damaged, or of another evaluation
+-- ServiceUnsuitable   the service cannot answer what is asked, or another model or other adapters answered meanwhile
"""


class SteeringError(Exception):
    """The evaluation cannot be carried out; the message says why and what to do."""


class RepliesUnusable(SteeringError):
    """A file of replies is damaged, or of another evaluation."""


class ServiceUnsuitable(SteeringError):
    """The service cannot answer what is asked."""
