"""Names of models: `emotional` speaks as the default session, `emotional/<session>` as another."""

import re
from typing import Final

from emotional_ai.names import SESSION_ID, SESSION_ID_FORM
from emotional_ai.web.doors.openai.given import Given, shown
from emotional_ai.web.doors.openai.refusals import Refused

MODEL: Final = "emotional"
PREFIX: Final = f"{MODEL}/"


def model_of(session_id: str) -> str:
    """The model that speaks as a session."""
    return f"{PREFIX}{session_id}"


def session_named(given: Given, default: str) -> str:
    """The session a request is about: named by its `user`, or by its model, or else the default one.

    Raises Refused for names of two sessions, an unknown model, or a name that no session can have.
    """
    model, user = given.text("model"), given.text("user")
    if model is None:
        wanted = f"model is missing; it is {MODEL!r}, or {PREFIX!r} with the name of a session"
        raise Refused(wanted, param="model", code="missing_required_parameter")
    if user is not None:
        _possible(user, "user")
    by_model = session_of(model)
    if by_model is not None and user is not None and by_model != user:
        raise Refused(
            f"user names the session {user!r} and model the session {by_model!r}; name one, or twice the same",
            param="user",
        )
    return by_model or user or default


def session_of(model: str) -> str | None:
    """The session a model speaks as; None if it is whichever is the default. Raises Refused for an unknown model."""
    if model == MODEL:
        return None
    if not model.startswith(PREFIX):
        raise unknown_model(model, f"here there are {MODEL!r}, and {PREFIX!r} with the name of a session")
    return _possible(model.removeprefix(PREFIX), "model")


def unknown_model(model: str, instead: str) -> Refused:
    """A model there is not, in OpenAI's words and ours."""
    return Refused(
        f"The model {shown(model)} does not exist: {instead}", param="model", code="model_not_found", status=404
    )


def _possible(session_id: str, param: str) -> str:
    if re.fullmatch(SESSION_ID, session_id) is None:
        raise Refused(
            f"{param} names the session {shown(session_id)}; the name of a session has {SESSION_ID_FORM}",
            param=param,
        )
    return session_id
