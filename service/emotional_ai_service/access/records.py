"""How tokens are written in a file: one JSON document, whose end shows that it is whole."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from emotional_ai_service.access.errors import TokensUnusable
from emotional_ai_service.access.token import Kept, Token
from emotional_ai_service.callers import Scope, tenant_name

FORMAT: Final = "emotional-ai tokens 1"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
T = TypeVar("T")


def to_text(tokens: Sequence[Token]) -> str:
    """The document, a token a line."""
    lines = ",\n".join("  " + json.dumps(_record(token), ensure_ascii=False) for token in tokens)
    return f'{{"format": "{FORMAT}", "tokens": [\n{lines}\n]}}\n'


def of_text(text: str) -> list[Token]:
    """The tokens of a document. Raises TokensUnusable, naming the first that is wrong and what is allowed."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TokensUnusable(f"is no JSON document, or was cut off: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise TokensUnusable(f'is no file of tokens: it does not say "format": "{FORMAT}"')
    records = document.get("tokens")
    if not isinstance(records, list):
        raise TokensUnusable('has no list of "tokens"')
    tokens = [_token(record, f"tokens[{index}]") for index, record in enumerate(records)]
    ids = [token.token_id for token in tokens]
    twice = next((one for one in ids if ids.count(one) > 1), None)
    if twice is not None:
        raise TokensUnusable(f"has two tokens of the id {twice}")
    return tokens


def time_text(time_us: int) -> str:
    """A time as it is written, such as 2026-11-29T10:00:00Z, in whole seconds."""
    return (_EPOCH + timedelta(seconds=time_us // 1_000_000)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _record(token: Token) -> dict[str, object]:
    return {
        "id": token.token_id,
        "tenant": token.tenant,
        "scopes": [scope.value for scope in Scope if scope in token.scopes],
        "created": time_text(token.created_us),
        "expires": None if token.expires_us is None else time_text(token.expires_us),
        "note": token.note,
        "secrets": [
            {"sha256": kept.digest.hex(), "until": None if kept.until_us is None else time_text(kept.until_us)}
            for kept in token.secrets
        ],
    }


def _token(record: object, where: str) -> Token:
    if not isinstance(record, dict):
        raise TokensUnusable(f"{where} is no object")
    secrets = _read(record, "secrets", where, _list)
    return Token(
        token_id=_read(record, "id", where, _id),
        tenant=_read(record, "tenant", where, lambda value: tenant_name(_string(value))),
        scopes=frozenset(Scope(name) for name in _read(record, "scopes", where, _scopes)),
        created_us=_read(record, "created", where, _time),
        expires_us=_read(record, "expires", where, _time_or_none),
        note=_read(record, "note", where, _string),
        secrets=tuple(_kept(one, f"{where}.secrets[{index}]") for index, one in enumerate(secrets)),
    )


def _kept(record: object, where: str) -> Kept:
    if not isinstance(record, dict):
        raise TokensUnusable(f"{where} is no object")
    return Kept(_read(record, "sha256", where, _digest), _read(record, "until", where, _time_or_none))


def _read(record: Mapping[str, object], name: str, where: str, as_: Callable[[object], T]) -> T:
    # What was found is not told: a secret may have been pasted where its digest belongs.
    try:
        return as_(record.get(name))
    except (ValueError, OverflowError) as error:
        raise TokensUnusable(f"{where}.{name} {error}") from None


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ValueError("must be a list")
    return value


def _id(value: object) -> str:
    if not re.fullmatch(r"[0-9a-f]{8}", _string(value)):
        raise ValueError("must be eight hexadecimal digits")
    return _string(value)


def _digest(value: object) -> bytes:
    if not re.fullmatch(r"[0-9a-f]{64}", _string(value)):
        raise ValueError("must be the 64 hexadecimal digits of a SHA-256, never a token itself")
    return bytes.fromhex(_string(value))


def _scopes(value: object) -> list[str]:
    names = [_string(one) for one in _list(value)]
    if not names or not {*names} <= {scope.value for scope in Scope}:
        raise ValueError(f"must name one or more of {', '.join(scope.value for scope in Scope)}")
    return names


def _time(value: object) -> int:
    try:
        time = datetime.strptime(_string(value), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError("must be a time such as 2026-11-29T10:00:00Z") from None
    return round((time - _EPOCH) / timedelta(microseconds=1))


def _time_or_none(value: object) -> int | None:
    return None if value is None else _time(value)
