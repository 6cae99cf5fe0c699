"""What the RPC door refuses by itself, it asks the service nothing of."""

import httpx
import pytest
from loopback import PATIENCE
from refusing_service import Refusal, refusing_service
from web_doors import doors

from emotional_ai.connection import REQUEST_LIMIT

JSON = "application/json"
LINES = "application/x-ndjson"


@pytest.mark.parametrize(
    ("method", "kind", "body", "status"),
    [
        ("GetState", JSON, b"{", 400),
        ("GetState", JSON, b'{"session": "ada"}', 400),
        ("GetState", "application/proto", b"\xff\xff", 400),
        ("WatchState", JSON, b"[]", 400),
        ("StreamState", LINES, b'{"opened": {}}', 400),
        ("GetState", JSON, b" " * (REQUEST_LIMIT + 1), 429),
        ("WatchState", JSON, b" " * (REQUEST_LIMIT + 1), 429),
        ("GetState", "text/plain", b"{}", 415),
        ("WatchState", "application/x-www-form-urlencoded", b"{}", 415),
        ("GetStat", JSON, b"{}", 404),
    ],
)
def test_what_is_no_request_never_reaches_the_service(method: str, kind: str, body: bytes, status: int) -> None:
    refusal = Refusal(None)
    with refusing_service(refusal) as address, doors(address) as url:
        path = f"{url}/emotional_ai.v1.EmotionEngine/{method}"
        answer = httpx.post(path, content=body, headers={"content-type": kind}, timeout=PATIENCE)
        assert answer.status_code == status
        assert answer.json()["message"]
    assert refusal.asked == []
