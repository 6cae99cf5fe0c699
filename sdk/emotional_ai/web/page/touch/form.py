"""A configuration as the editor in the browser has it: the contract's own JSON, with every field filled in."""

from collections.abc import Iterator, Mapping
from typing import Final

from google.protobuf import json_format

from emotional_ai import names
from emotional_ai.errors import InvalidArgument
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.web.page.touch import published

Form = dict[str, object]
"""JSON of a SessionConfig, names as in the contract; null where a field of the page is empty."""

TRAITS: Final = tuple(field.name for field in pb.BigFive.DESCRIPTOR.fields)
PRESETS: Final[Mapping[str, tuple[float, float, float, float, float]]] = {
    "average": (0.5, 0.5, 0.5, 0.5, 0.5),
    "curious explorer": (0.9, 0.4, 0.7, 0.5, 0.3),
    "warm friend": (0.6, 0.5, 0.7, 0.9, 0.3),
    "steady professional": (0.5, 0.9, 0.5, 0.6, 0.2),
    "anxious": (0.5, 0.5, 0.3, 0.5, 0.9),
    "reserved critic": (0.6, 0.7, 0.2, 0.2, 0.5),
}
"""Big Five traits by the name of who has them, in order of the contract."""


def form_of(config: pb.SessionConfig) -> Form:
    """What the editor is given."""
    form: Form = json_format.MessageToDict(
        config, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return form


def config_of(form: Form) -> pb.SessionConfig:
    """The configuration a form stands for. Raises InvalidArgument if it is not the JSON of one."""
    try:
        return json_format.ParseDict(form, pb.SessionConfig())
    except (json_format.ParseError, RecursionError) as error:
        raise InvalidArgument.of("MALFORMED_JSON", "config", f"is not the JSON of a configuration: {error}") from error


def read(text: str) -> pb.SessionConfig:
    """The configuration in a file, what it leaves out filled in with the published defaults.

    Raises InvalidArgument saying where, if it is not the JSON of one.
    """
    if not text.lstrip().startswith("{"):  # the parser takes an empty list, or null, for an empty message
        raise InvalidArgument.of("MALFORMED_JSON", "the file", "is not the JSON of a configuration, which is an object")
    try:
        return published.filled(json_format.Parse(text, pb.SessionConfig()))
    except (json_format.ParseError, RecursionError, UnicodeError) as error:
        reason = str(error).partition("\n Available Fields")[0]
        raise InvalidArgument.of(
            "MALFORMED_JSON", "the file", f"is not the JSON of a configuration: {reason}"
        ) from error


def written(config: pb.SessionConfig) -> str:
    """A configuration as a file that `read` takes."""
    return json_format.MessageToJson(config, preserving_proto_field_name=True)


def holes(form: object, path: str = "") -> Iterator[str]:
    """Paths of the fields that were left empty."""
    if form is None:
        yield path
    elif isinstance(form, dict):
        for name, value in form.items():
            yield from holes(value, f"{path}.{name}" if path else str(name))
    elif isinstance(form, list):
        for index, value in enumerate(form):
            yield from holes(value, f"{path}[{index}]")


def path_of(field: str, config: pb.SessionConfig) -> str:
    """Where in the editor a field stands, from its path in an error; gains are named by their signal."""
    field = field.removeprefix("config.")
    for index, row in enumerate(config.dynamics.gains):
        field = field.replace(f"gains[{index}].gain.", f"gains.{names.signal(row.signal)}.")
    return field if field.startswith(("expression.", "dynamics.")) else f"dynamics.{field}"
