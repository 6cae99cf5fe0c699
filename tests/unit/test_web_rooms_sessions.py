"""Which sessions of many are shown."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from emotional_ai.v1.engine_pb2 import SessionSummary
from emotional_ai.web.page.sessions.listing import PAGE, Column, Wish, listing


def session(name: str, created: int = 0, updated: int = 0, entries: int = 1) -> SessionSummary:
    return SessionSummary(
        session_id=name, created_at=Timestamp(seconds=created), updated_at=Timestamp(seconds=updated), version=entries
    )


EVERY = [session("Ada", 3, 4, 9), session("bob", 1, 6, 2), session("bad", 2, 5, 5)]


def shown(wish: Wish) -> list[str]:
    return [row["id"] for row in listing(EVERY, wish)["rows"]]


def test_the_session_changed_last_comes_first() -> None:
    assert shown(Wish()) == ["bob", "bad", "Ada"]


@pytest.mark.parametrize(
    ("by", "upwards"),
    [
        (Column.ID, ["Ada", "bad", "bob"]),
        (Column.CREATED, ["bob", "bad", "Ada"]),
        (Column.UPDATED, ["Ada", "bad", "bob"]),
        (Column.ENTRIES, ["bob", "bad", "Ada"]),
    ],
)
def test_sessions_are_put_in_order_by_any_column_both_ways(by: Column, upwards: list[str]) -> None:
    assert shown(Wish(by=by, downwards=False)) == upwards
    assert shown(Wish(by=by, downwards=True)) == upwards[::-1]


def test_a_part_of_an_id_is_found_in_any_case() -> None:
    assert shown(Wish(search="AD")) == ["bad", "Ada"]
    told = listing(EVERY, Wish(search="zed"))
    assert (told["rows"], told["found"], told["every"], told["pages"]) == ([], 0, 3, 1)


def test_times_are_milliseconds() -> None:
    assert listing(EVERY, Wish(search="ada"))["rows"][0] == {
        "id": "Ada",
        "created": 3000.0,
        "updated": 4000.0,
        "entries": 9,
    }


def test_a_page_beyond_the_last_is_the_last() -> None:
    many = [session(f"s{number:04}") for number in range(PAGE + 1)]
    told = listing(many, Wish(by=Column.ID, downwards=False, page=7))
    assert ([row["id"] for row in told["rows"]], told["first"], told["page"], told["pages"]) == (
        [f"s{PAGE:04}"],
        PAGE,
        1,
        2,
    )


def test_a_wish_is_read_from_what_a_browser_sends() -> None:
    given = {"search": " ada ", "by": "created", "downwards": False, "page": -1}
    assert Wish.of(given) == Wish("ada", Column.CREATED, downwards=False, page=0)
    with pytest.raises(ValueError, match="mood"):
        Wish.of(given | {"by": "mood"})
    with pytest.raises(ValueError, match="whole number"):
        Wish.of(given | {"page": "2"})
