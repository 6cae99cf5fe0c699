"""Models as OpenAI lists them: the one that speaks as the default session, and one for each session there is."""

from contextlib import aclosing
from typing import Final, Literal, TypedDict

from google.protobuf.timestamp_pb2 import Timestamp

from emotional_ai.aio import AsyncClient
from emotional_ai.errors import NotFound
from emotional_ai.web.doors.openai.model_names import MODEL, model_of, session_of, unknown_model

LISTED: Final = 1000
"""Sessions a list has at most, in order of id."""
OWNER: Final = "emotional-ai"


class Model(TypedDict):
    """A model; `created` is when its session was, in seconds of Unix time."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(TypedDict):
    """The models; whether there are more."""

    object: Literal["list"]
    data: list[Model]
    has_more: bool


async def models(client: AsyncClient, default_session: str) -> ModelList:
    """The models there are. Raises what the client raises."""
    data = [_model(MODEL, await _created(client, default_session))]
    more = False
    async with aclosing(client.list_sessions(page_size=LISTED)) as sessions:  # type: ignore[type-var]
        async for one in sessions:
            if len(data) > LISTED:
                more = True
                break
            data.append(_model(model_of(one.session_id), one.created_at))
    return ModelList(object="list", data=data, has_more=more)


async def model(client: AsyncClient, name: str, default_session: str) -> Model:
    """One model. Raises Refused for one there is not, and what the client raises."""
    session_id = session_of(name)
    created = await _created(client, session_id or default_session)
    if created is None and session_id is not None:
        raise unknown_model(name, f"the session {session_id!r} is made when it is first spoken to")
    return _model(name, created)


async def _created(client: AsyncClient, session_id: str) -> Timestamp | None:
    try:
        return (await client.get_session(session_id)).created_at
    except NotFound:
        return None


def _model(name: str, created: Timestamp | None) -> Model:
    return Model(id=name, object="model", created=created.seconds if created else 0, owned_by=OWNER)
