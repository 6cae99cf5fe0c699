"""Which base models a server trains, by its own word: line-ups change, so none is written down here."""

import tinker

from emotional_ai_training.tinker_api.deadlines import within
from emotional_ai_training.tinker_api.errors import BaseModelUnavailable, KeyRefused


def live_models(rest: tinker.RestClient, seconds: float) -> list[str]:
    """Names of the base models the server trains now. Raises KeyRefused if it does not know the key."""
    try:
        capabilities = within(rest.get_server_capabilities(), seconds, "asking the server what it trains")
    except (tinker.AuthenticationError, tinker.PermissionDeniedError) as error:
        raise KeyRefused("the Tinker server") from error
    return [
        model.model_name for model in capabilities.supported_models if model.trainable is not False and model.model_name
    ]


def choose_base_model(rest: tinker.RestClient, wanted: str, seconds: float) -> str:
    """`wanted` if the server trains it, or the only model of a server with one, if `wanted` is empty.

    Raises BaseModelUnavailable with the list of live names; a retired name is refused like an unknown one.
    """
    live = live_models(rest, seconds)
    if not wanted and len(live) == 1:
        return live[0]
    if wanted not in live:
        raise BaseModelUnavailable(wanted, live)
    return wanted
