"""Futures, attempts, prices and settings: bounded, and clear about what is wrong."""

from concurrent.futures import Future

import httpx
import pytest
import tinker

from emotional_ai_training.recipes.errors import SettingRefused
from emotional_ai_training.recipes.settings import check_strength, training_settings
from emotional_ai_training.tinker_api import (
    CostRefused,
    DeadlineExceeded,
    Estimate,
    FutureFailed,
    ServerLost,
    check_cost,
    explain,
    mendable,
    supervised,
    within,
)
from emotional_ai_training.tinker_api.supervision import ATTEMPTS_WITHOUT_PROGRESS


def answered(status: int, kind: type[tinker.APIStatusError]) -> tinker.APIStatusError:
    response = httpx.Response(status, request=httpx.Request("POST", "http://127.0.0.1/api"))
    return kind("said so", response=response, body=None)


def failed(error: BaseException) -> Future[int]:
    future: Future[int] = Future()
    future.set_exception(error)
    return future


def test_a_result_in_time_is_returned() -> None:
    future: Future[int] = Future()
    future.set_result(7)
    assert within(future, 5, "adding") == 7


def test_a_future_without_an_answer_ends_at_its_deadline() -> None:
    with pytest.raises(DeadlineExceeded, match=r"adding: no answer within 0\.01 s"):
        within(Future[int](), 0.01, "adding")


def test_waiting_ends_when_the_server_has() -> None:
    with pytest.raises(ServerLost, match="adding"):
        within(Future[int](), 60, "adding", alive=lambda: False)


@pytest.mark.parametrize("error", [ValueError("gone"), RuntimeError("poisoned")])
def test_a_future_given_up_by_the_sdk_is_mendable(error: Exception) -> None:
    with pytest.raises(FutureFailed) as raised:
        within(failed(error), 5, "adding")
    assert mendable(raised.value)


def test_work_that_timed_out_by_itself_is_not_waited_for_again() -> None:
    with pytest.raises(FutureFailed, match="adding: the socket was slow"):
        within(failed(TimeoutError("the socket was slow")), 60, "adding")


def test_what_a_new_attempt_cannot_mend_is_not_mendable() -> None:
    assert not mendable(answered(400, tinker.BadRequestError))
    assert not mendable(answered(401, tinker.AuthenticationError))
    assert not mendable(OSError("disk full"))
    assert mendable(answered(503, tinker.InternalServerError))
    assert mendable(answered(429, tinker.RateLimitError))


def test_a_supervised_work_goes_on_as_long_as_it_moves() -> None:
    reached, said, slept = 0, list[str](), list[float]()

    def work() -> str:
        nonlocal reached
        reached += 1
        if reached < 9:
            raise DeadlineExceeded(f"step {reached}", 1)
        return "done"

    assert supervised(work, lambda: reached, said.append, slept.append) == "done"
    assert len(said) == len(slept) == 8
    assert "going on from the last saved state" in said[0]


def test_a_supervised_work_that_stands_still_is_given_up_with_its_last_error() -> None:
    attempts = 0

    def work() -> None:
        nonlocal attempts
        attempts += 1
        raise DeadlineExceeded("step 3", 1)

    with pytest.raises(DeadlineExceeded, match="step 3"):
        supervised(work, lambda: 3, lambda _: None, lambda _: None)
    assert attempts == ATTEMPTS_WITHOUT_PROGRESS


def test_an_error_no_attempt_can_mend_is_raised_at_once() -> None:
    attempts = 0

    def work() -> None:
        nonlocal attempts
        attempts += 1
        raise answered(400, tinker.BadRequestError)

    with pytest.raises(tinker.BadRequestError) as raised:
        supervised(work, lambda: 0, lambda _: None, lambda _: None)
    assert attempts == 1
    assert explain(raised.value) == "the Tinker server answered 400: said so"


def test_a_run_of_unknown_price_is_refused_and_says_which_settings_tell_it() -> None:
    with pytest.raises(CostRefused, match="TINKER_TRAIN_PRICE"):
        check_cost(Estimate(1000, 1000, None, 0.6), 5)


def test_a_run_is_allowed_up_to_its_limit() -> None:
    found = Estimate(1_000_000, 500_000, 0.44, 0.60)
    assert found.dollars == pytest.approx(0.74)
    check_cost(found, 0.75)
    with pytest.raises(CostRefused, match=r"\$0.74: more than the 0.70 allowed"):
        check_cost(found, 0.70)


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"TINKER_TRAIN_PRICE": "dear"}, "TINKER_TRAIN_PRICE is 'dear'; it must be a number"),
        ({"TINKER_TRAIN_PRICE": "nan"}, "TINKER_TRAIN_PRICE is 'nan'; it must be 0 or more"),
        ({"TINKER_SAMPLE_PRICE": "-1"}, "TINKER_SAMPLE_PRICE is '-1'; it must be 0 or more"),
        ({"TINKER_API_KEY": "sk-123"}, "a key begins with tml-"),
        ({"TINKER_BASE_URL": "http://127.0.0.1:1"}, "set the key its server knows"),
        ({"TINKER_API_KEY": "tml-é"}, "a key is of printable ASCII characters without spaces"),
        ({"TINKER_API_KEY": "tml-two words"}, "a key is of printable ASCII characters without spaces"),
        *(
            (
                {"TINKER_API_KEY": "tml-a", "TINKER_BASE_URL": url},
                f"TINKER_BASE_URL is {url!r}; it must be http://HOST:PORT",
            )
            for url in (
                "not a url",
                "ftp://127.0.0.1",
                "127.0.0.1:1",
                "http://[",
                "http://[::1",
                "http://a:abc",
                "http://a:99999",
            )
        ),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(environ: dict[str, str], named: str) -> None:
    with pytest.raises(SettingRefused) as raised:
        training_settings(environ)
    assert named in str(raised.value)


@pytest.mark.parametrize("rank", [0, 3, 12, 256])
def test_a_rank_that_is_no_power_of_two_is_refused(rank: int) -> None:
    with pytest.raises(SettingRefused, match="power of two"):
        check_strength(rank, 1e-3)


@pytest.mark.parametrize("rate", [0.0, -1.0, 2.0, float("nan")])
def test_a_learning_rate_out_of_range_is_refused(rate: float) -> None:
    with pytest.raises(SettingRefused, match=r"must be in \(0, 0.1\]"):
        check_strength(8, rate)


@pytest.mark.parametrize(
    ("environ", "paid"),
    [
        ({}, False),
        ({"TINKER_API_KEY": "tml-a"}, True),
        ({"TINKER_API_KEY": "tml-a", "TINKER_BASE_URL": "http://127.0.0.1:9"}, False),
        ({"TINKER_API_KEY": "tml-a", "TINKER_BASE_URL": "http://localhost:9"}, False),
        ({"TINKER_API_KEY": "tml-a", "TINKER_BASE_URL": "https://tinker.example/api"}, True),
    ],
)
def test_only_servers_on_this_machine_are_free(environ: dict[str, str], paid: bool) -> None:
    assert training_settings(environ).paid is paid


def test_a_limit_that_is_no_number_allows_nothing() -> None:
    with pytest.raises(CostRefused):
        check_cost(Estimate(1_000_000, 0, 1.0, 1.0), float("nan"))


def test_the_key_is_never_printed() -> None:
    settings = training_settings({"TINKER_API_KEY": "tml-very-secret", "TINKER_BASE_URL": "http://127.0.0.1:1"})
    assert "very-secret" not in repr(settings)
    assert settings.remote is not None
    assert settings.remote.base_url == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    "environ",
    [{"TINKER_API_KEY": "recognisable"}, {"TINKER_BASE_URL": "http://user:recognisable@127.0.0.1:1"}],
)
def test_a_secret_that_is_refused_is_not_told(environ: dict[str, str]) -> None:
    with pytest.raises(SettingRefused) as raised:
        training_settings(environ)
    assert "reco" not in str(raised.value)


def test_the_key_is_not_repeated_even_by_a_server_that_does() -> None:
    request = httpx.Request("POST", "http://127.0.0.1/api", headers={"X-API-Key": "tml-recognisable"})
    said = f"{'rejected ' * 43}: {request.headers['X-API-Key']}"  # cut off in the middle of the key
    error = tinker.BadRequestError(said, response=httpx.Response(400, request=request), body=None)
    assert "tml-reco" not in explain(error)
    short = tinker.BadRequestError("not tml-recognisable", response=httpx.Response(400, request=request), body=None)
    assert explain(short) == "the Tinker server answered 400: not <key>"
