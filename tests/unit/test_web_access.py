"""Who may come in to the page: the rules on names, origins and tokens."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai.web import WebSettings
from emotional_ai.web.access import Access

LOCAL = Access.of(WebSettings("127.0.0.1:50051"))
TOKEN = "open-sesame-open-sesame"
OPEN = Access.of(WebSettings("127.0.0.1:50051", host="0.0.0.0", token=TOKEN, allowed_hosts=("emotional.example",)))
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,20}(\.[a-z][a-z0-9-]{0,10}){1,3}", fullmatch=True)
PORTS = st.integers(1, 65535)
OWN = st.sampled_from(("127.0.0.1", "localhost", "[::1]", "LOCALHOST", "localhost."))


def status(access: Access, method: str = "GET", **headers: str) -> int | None:
    """What a request comes to: the status it is refused with, None if it is not."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    refusal = access.refusal(method, named)
    return None if refusal is None else refusal.status


@given(name=OWN, port=PORTS)
def test_a_page_is_asked_by_the_names_of_its_own_machine_on_any_port(name: str, port: int) -> None:
    assert status(LOCAL, host=f"{name}:{port}") is None
    assert status(LOCAL, host=name) is None


@given(name=NAMES, port=PORTS)
def test_a_name_that_somebody_had_resolved_to_this_machine_is_refused(name: str, port: int) -> None:
    assert status(LOCAL, host=f"{name}:{port}") == 421
    assert status(OPEN, host=f"{name}:{port}") == 421
    assert status(LOCAL, host=f"localhost.{name}") == 421


@pytest.mark.parametrize(
    "host",
    [
        "",
        " ",
        ":8080",
        "127.0.0.1, evil.example",
        "127.0.0.1@evil.example",
        "127.0.0.1/",
        "[::1",
        "127.0.0.1:port",
        "0",
    ],
)
def test_what_is_no_host_is_refused(host: str) -> None:
    assert status(LOCAL, host=host) == 421


def test_a_request_that_names_no_host_is_refused() -> None:
    assert status(LOCAL) == 421


@given(address=st.one_of(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(lambda one: f"[{one}]")), port=PORTS)
def test_beyond_this_machine_any_address_will_do_as_no_other_site_can_have_it(address: str, port: int) -> None:
    assert status(OPEN, host=f"{address}:{port}") is None


@given(address=st.ip_addresses(v=4).map(str).filter(lambda one: one != "127.0.0.1"))
def test_on_this_machine_alone_no_other_address_will_do(address: str) -> None:
    assert status(LOCAL, host=address) == 421


def test_a_further_name_is_let_in_where_it_is_allowed() -> None:
    assert status(OPEN, host="emotional.example") is None
    assert status(OPEN, host="Emotional.Example:443") is None
    assert status(LOCAL, host="emotional.example") == 421


@given(name=OWN.filter(lambda one: not one.endswith(".")), port=PORTS, scheme=st.sampled_from(("http", "https")))
def test_a_page_may_ask_itself(name: str, port: int, scheme: str) -> None:
    assert status(LOCAL, "POST", host=f"{name}:{port}", origin=f"{scheme}://{name}:{port}".lower()) is None


@given(name=NAMES, port=PORTS, method=st.sampled_from(("GET", "POST", "PUT", "DELETE", "OPTIONS")))
def test_another_site_may_not_ask_through_a_visitors_browser(name: str, port: int, method: str) -> None:
    assert status(LOCAL, method, host="127.0.0.1:8080", origin=f"http://{name}:{port}") == 403


@given(port=PORTS.filter(lambda port: port != 8080))
def test_another_port_of_this_machine_is_another_site(port: int) -> None:
    assert status(LOCAL, "POST", host="localhost:8080", origin=f"http://localhost:{port}") == 403


@pytest.mark.parametrize(
    "origin", ["null", "", "file://", "http://", "http://127.0.0.1", "http://localhost:8080", "x", "http://["]
)
def test_what_is_not_this_very_origin_is_refused(origin: str) -> None:
    assert status(LOCAL, host="127.0.0.1:8080", origin=origin) == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_another_site_may_not_load_a_part_of_the_page(site: str) -> None:
    parts = {"sec_fetch_site": site, "sec_fetch_mode": "no-cors", "sec_fetch_dest": "script"}
    assert status(LOCAL, host="localhost", **parts) == 403
    framed = parts | {"sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"}
    assert status(LOCAL, host="localhost", **framed) == 403
    posted = parts | {"sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert status(LOCAL, "POST", host="localhost", **posted) == 403


def test_a_link_to_the_page_may_be_followed() -> None:
    followed = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert status(LOCAL, host="localhost", **followed) is None


def test_a_refusal_says_what_is_allowed() -> None:
    strange = LOCAL.refusal("GET", {"host": "evil.example"})
    assert strange is not None
    assert "evil.example" in strange.words
    assert "--allow-host" in strange.words
    crossed = LOCAL.refusal("POST", {"host": "localhost", "origin": "http://evil.example"})
    assert crossed is not None
    assert "http://evil.example" in crossed.words


def test_without_a_token_everybody_on_this_machine_may_come_in() -> None:
    assert LOCAL.admits({}, None)


def test_a_token_is_taken_as_a_bearer_token_or_as_the_cookie_of_a_login() -> None:
    assert OPEN.admits({"authorization": f"Bearer {TOKEN}"}, None)
    assert OPEN.admits({"authorization": f"bearer  {TOKEN}"}, None)
    assert OPEN.admits({}, OPEN.proof())


@given(given_token=st.text().filter(lambda text: text.strip() != TOKEN))
def test_no_other_token_will_do(given_token: str) -> None:
    assert not OPEN.admits({"authorization": f"Bearer {given_token}"}, None)
    assert not OPEN.admits({"authorization": f"Basic {given_token}"}, given_token)
    assert not OPEN.knows(given_token)


def test_the_token_itself_is_no_cookie_and_the_cookie_is_no_token() -> None:
    assert not OPEN.admits({}, TOKEN)
    assert not OPEN.admits({"authorization": f"Bearer {OPEN.proof()}"}, None)
    assert "sesame" not in OPEN.proof()


def test_the_cookie_of_another_token_does_not_open() -> None:
    other = Access.of(WebSettings("127.0.0.1:50051", token="another"))
    assert not OPEN.admits({}, other.proof())


def test_a_page_without_a_token_is_opened_by_none() -> None:
    assert not LOCAL.knows("")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "emotional.example", ""])
def test_beyond_this_machine_a_token_is_needed(host: str) -> None:
    with pytest.raises(ValueError, match="--token"):
        WebSettings("127.0.0.1:50051", host=host)
    assert WebSettings("127.0.0.1:50051", host=host, token=TOKEN).token == TOKEN


def test_by_another_name_others_come_in_through_a_proxy_or_a_tunnel_so_a_token_is_needed() -> None:
    with pytest.raises(ValueError, match=r"--allow-host mood\.example .*--token, or EMOTIONAL_AI_WEB_TOKEN"):
        WebSettings("127.0.0.1:50051", allowed_hosts=("mood.example",))
    assert WebSettings("127.0.0.1:50051", token=TOKEN, allowed_hosts=("mood.example",)).token == TOKEN


@pytest.mark.parametrize("beyond", [{"host": "0.0.0.0"}, {"allowed_hosts": ("mood.example",)}])
def test_a_token_that_others_could_guess_is_refused_and_it_is_said_how_to_make_one(beyond: Any) -> None:
    with pytest.raises(ValueError, match=r"16 or more characters, got 15; make one by python3 -c"):
        WebSettings("127.0.0.1:50051", token="t" * 15, **beyond)
    assert WebSettings("127.0.0.1:50051", token="t" * 16, **beyond).token == "t" * 16


def test_on_this_machine_a_token_may_be_short() -> None:
    assert WebSettings("127.0.0.1:50051", token="t").token == "t"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.8.8.8"])
def test_on_this_machine_no_token_is_needed(host: str) -> None:
    assert WebSettings("127.0.0.1:50051", host=host).token is None


@pytest.mark.parametrize("token", ["", "two words", "tab\t", "é", "line\n"])
def test_what_cannot_be_sent_in_a_header_is_no_token(token: str) -> None:
    with pytest.raises(ValueError, match="token"):
        WebSettings("127.0.0.1:50051", token=token)


@pytest.mark.parametrize("name", ["", "mood.example:8443", "https://mood.example", "mood.example/", "*", "[::1]:80"])
def test_a_further_name_that_could_never_be_asked_for_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="without scheme and port"):
        WebSettings("127.0.0.1:50051", allowed_hosts=(name,))


@pytest.mark.parametrize("name", ["mood.example", "Mood-2.example.", "192.0.2.7", "2001:db8::7", "[2001:db8::7]"])
def test_a_further_name_is_asked_for_as_it_was_allowed_even_if_it_is_an_address(name: str) -> None:
    access = Access.of(WebSettings("127.0.0.1:50051", token=TOKEN, allowed_hosts=(name,)))
    asked = f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name
    assert status(access, host=f"{asked}:8443") is None


def test_settings_do_not_show_their_token() -> None:
    assert "sesame" not in repr(WebSettings("127.0.0.1:50051", token=TOKEN))


@pytest.mark.parametrize("session", ["../x", "a b", "", "x" * 129])
def test_a_page_begins_with_a_session_there_can_be(session: str) -> None:
    with pytest.raises(ValueError, match="--session"):
        WebSettings("127.0.0.1:50051", session=session)
