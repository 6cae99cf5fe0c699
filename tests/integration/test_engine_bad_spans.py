"""Looking back outside a session's life, or at what is not there, is refused by field."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from loopback import service
from wire_client import fields, refused

from emotional_ai import Client, InvalidArgument


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with service() as address, Client(address) as client:
        client.create_session("ada")
        client.apply("ada", reward=0.4)
        yield client


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def test_a_span_lies_within_the_life_of_the_session(client: Client) -> None:
    before, after = ago(3600), ago(-3600)
    for call in (
        lambda: client.history("ada", start=before),
        lambda: client.explain("ada", start=before),
        lambda: client.counterfactual("ada", [2], start=before),
    ):
        error = refused(call)
        assert isinstance(error, InvalidArgument)
        assert fields(error) == ["start"]
        assert "before the session was created" in str(error)
    for call in (
        lambda: client.history("ada", start=after, end=ago(-1800)),
        lambda: client.history("ada", end=before),
        lambda: client.explain("ada", end=before),
    ):
        error = refused(call)
        assert fields(error) == ["end"]
        assert "must not be before the start" in str(error)
    error = refused(lambda: client.state("ada", at=before))
    assert fields(error) == ["at"]


@pytest.mark.parametrize("points", [1, 10_001])
def test_a_history_of_one_point_or_too_many_is_refused(client: Client, points: int) -> None:
    error = refused(lambda: client.history("ada", points=points))
    assert fields(error) == ["points"]
    assert "2..10000" in str(error)


@pytest.mark.parametrize(("without", "wrong"), [([1], "1 is not"), ([2, 999], "999 is not")])
def test_only_a_stimulus_can_be_left_out_of_a_life(client: Client, without: list[int], wrong: str) -> None:
    error = refused(lambda: client.counterfactual("ada", without))
    assert isinstance(error, InvalidArgument)
    assert fields(error) == ["without_sequences"]
    assert wrong in str(error)


@pytest.mark.parametrize("without", [[], [2, 2], list(range(1, 1002))])
def test_what_is_left_out_is_named_once_and_not_too_often(client: Client, without: list[int]) -> None:
    assert fields(refused(lambda: client.counterfactual("ada", without))) == ["without_sequences"]
