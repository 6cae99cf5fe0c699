"""Messages as JSON to the letter: what does not fit the contract is refused, naming the field."""

import re
from typing import Final

from connectrpc.codec import Codec
from connectrpc.compat import google_protobuf_binary_codec
from connectrpc.errors import ConnectError
from google.protobuf import json_format
from google.protobuf.message import Message

from emotional_ai.web.doors.refusals import invalid

UNKNOWN: Final = re.compile(
    r'has no field named "(.+?)" at "\w+\.?(.*?)"\.\s+Available Fields\S* \S+ "\[(.*)\]"', re.DOTALL
)
WITHIN: Final = re.compile(r"Failed to parse (\w+) field: ")
NO_OBJECT: Final = re.compile(r"'\w+' object is not iterable")
PLACE: Final = re.compile(r" at \"?\w+\.([\w.\[\]]*[\w\]])\"?\.*$")
"""How the parser of protobuf words what is wrong, and where."""


class Written:
    """A message whose JSON is written already."""

    def __init__(self, message: Message) -> None:
        self.json = _written(message)


class JsonCodec(Codec[Message | Written, Message]):
    """Protobuf's JSON, an object to a message, on one line."""

    def name(self) -> str:
        """As content types name it."""
        return "json"

    def encode(self, message: Message | Written) -> bytes:
        """One line, without its end."""
        return message.json if isinstance(message, Written) else _written(message)

    def decode(self, data: bytes | bytearray, message_class: type[Message]) -> Message:
        """Raises ConnectError for what is no object, or does not fit the message."""
        try:
            text = data.decode()
            # The parser takes an empty list for an empty message.
            if not text.lstrip().startswith("{"):
                raise invalid(
                    "MALFORMED_JSON", "", f"the body is not the JSON of a {_name(message_class)}, which is an object"
                )
            return json_format.Parse(text, message_class())
        except UnicodeDecodeError as error:
            raise invalid("MALFORMED_JSON", "", f"the body is not UTF-8: {error}") from error
        except (json_format.ParseError, RecursionError) as error:
            raise _explained(str(error), message_class) from error


def codecs() -> list[Codec]:
    """The forms of messages that are taken."""
    return [google_protobuf_binary_codec(), JsonCodec()]


def _written(message: Message) -> bytes:
    return json_format.MessageToJson(message, indent=None, ensure_ascii=False).encode()


def _explained(words: str, message_class: type[Message]) -> ConnectError:
    if found := UNKNOWN.search(words):
        name, path, fields = found.groups()
        known = fields.replace("'", "")
        return invalid(
            "UNKNOWN_FIELD", f"{path}.{name}".lstrip("."), f"is no field; those there are: {known or 'none'}"
        )
    field = place[1] if (place := PLACE.search(words)) else ".".join(WITHIN.findall(words))
    wrong = NO_OBJECT.sub("must be an object", PLACE.sub("", WITHIN.sub("", words))).rstrip(".")
    if not field:
        return invalid("MALFORMED_JSON", "", f"the body is not the JSON of a {_name(message_class)}: {wrong}")
    return invalid("MALFORMED_JSON", field, wrong)


def _name(message_class: type[Message]) -> str:
    return message_class.DESCRIPTOR.name
