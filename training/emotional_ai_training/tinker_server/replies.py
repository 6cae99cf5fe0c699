"""What a finished request answers: bytes and their media type. Failures are answers too, or the client would retry them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"


class Category(StrEnum):
    """Whose fault a failure is."""

    USER = "user"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Reply:
    """A body ready to be sent, any number of times."""

    body: bytes
    media_type: str = JSON


def answer(content: Mapping[str, object]) -> Reply:
    """A JSON object."""
    return Reply(json.dumps(content).encode())


def failure(message: str, category: Category) -> Reply:
    """A request that failed."""
    return answer({"error": message, "category": category.value})
