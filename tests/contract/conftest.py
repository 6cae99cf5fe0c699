"""What the tests of the contract need of the clients they run."""

import pytest

from emotional_ai import connection


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has gRPC try again after 10 ms instead of 100: all its tries together take most of the two seconds a read may take."""
    monkeypatch.setitem(connection.RETRY_POLICY, "initialBackoff", "0.01s")
