"""Bodies of requests: bounded, and JSON objects."""

import json
from typing import Final, NoReturn

from starlette.requests import Request

from emotional_ai.connection import REQUEST_LIMIT
from emotional_ai.web.doors.openai.given import Given, shown
from emotional_ai.web.doors.openai.refusals import Refused

TOO_LARGE: Final = f"the request has more than {REQUEST_LIMIT} bytes; send less of the conversation"


async def body_of(request: Request) -> bytes:
    """The bytes of a request that says it is JSON. Raises Refused for another, or one that is too large."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(
            f"the request must have the header `Content-Type: application/json`, got {kind[:60] or 'none'}",
            code="unsupported_media_type",
            status=415,
        )
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > REQUEST_LIMIT:
            raise Refused(TOO_LARGE, code="request_too_large", status=413)
    return bytes(body)


def object_of(body: bytes) -> Given:
    """The JSON object of a body. Raises Refused for what is none."""
    try:
        found = json.loads(body.decode(), parse_constant=_no_number, object_pairs_hook=_once)
    except RecursionError as error:
        raise _no_json("it is nested too deeply") from error
    except ValueError as error:
        raise _no_json(str(error)) from error
    if not isinstance(found, dict):
        raise _no_json("it is no object")
    return Given(found)


def _once(members: list[tuple[str, object]]) -> dict[str, object]:
    """An object whose members have a name each. Raises Refused, naming one that is given twice: which was meant?"""
    found: dict[str, object] = {}
    for name, value in members:
        if name in found:
            raise Refused(
                f"{shown(name)} is given twice in one object; give it once", param=name, code="duplicate_member"
            )
        found[name] = value
    return found


def _no_json(why: str) -> Refused:
    return Refused(f"the body of the request cannot be read as a JSON object: {why}", code="invalid_json")


def _no_number(written: str) -> NoReturn:
    raise ValueError(f"{written} is no number of JSON")
