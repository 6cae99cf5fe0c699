"""The page served on a real socket: whom it lets in, what it says, how it ends, and that it needs no service to begin."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from command_line import CommandLine
from loopback import PATIENCE, service, service_process
from openai import APIStatusError, OpenAI
from ports import free_port
from web_process import Web, command, web_process

from emotional_ai import Client

TOKEN = "open-sesame-open-sesame"
RPC = "/emotional_ai.v1.EmotionEngine/ListSessions"
FOREIGN = {"Origin": "http://evil.example"}
HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with service() as address:
        yield address


@pytest.fixture(scope="module")
def web(target: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with web_process(target, tmp_path_factory.mktemp("web") / "log") as page:
        yield page
        assert page.complaints() == ""


@pytest.fixture(scope="module")
def locked(target: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with web_process(target, tmp_path_factory.mktemp("locked") / "log", "--token", TOKEN) as page:
        yield page


def handshake(web: Web, **headers: str) -> str:
    """What answers the handshake of a websocket: its first line, and where it is refused why."""
    parts = urlsplit(web.url)
    assert parts.hostname is not None
    sent = {"Host": parts.netloc, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    sent |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} | headers
    lines = ["GET /_nicegui_ws/socket.io/?EIO=4&transport=websocket HTTP/1.1", *map(": ".join, sent.items()), "", ""]
    with socket.create_connection((parts.hostname, parts.port or 80), timeout=PATIENCE) as connection:
        connection.sendall("\r\n".join(lines).encode())
        answer = connection.makefile("rb")
        first = answer.readline().decode().strip()
        if " 101 " in first:
            return first
        headers = http.client.parse_headers(answer)
        return f"{first}\n{answer.read(int(headers['content-length'])).decode()}"


def until(there: Callable[[], bool]) -> None:
    """Asks again and again until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < deadline, "it did not come about"


def test_the_page_leads_to_its_first_session_and_makes_it(web: Web, target: str) -> None:
    answer = httpx.get(web.url + "/", follow_redirects=True)
    assert answer.status_code == 200
    assert answer.url.path == "/s/default"
    with Client(target) as client:
        assert client.get_session("default").session_id == "default"


def test_no_other_session_is_made_by_looking_for_it(web: Web, target: str) -> None:
    assert "There is no session nowhere" in httpx.get(web.session("nowhere")).text
    with Client(target) as client:
        assert "nowhere" not in [one.session_id for one in client.list_sessions()]


def test_of_what_can_be_no_session_it_is_said_what_can(web: Web) -> None:
    page = httpx.get(web.session("-%20<b>")).text
    assert "A session cannot be called" in page
    assert "1 to 128 letters, digits" in page
    assert "Create it" not in page
    assert "<b>" not in page.partition("A session cannot be called")[2][:20]


def test_where_there_is_nothing_it_is_said_so_in_the_frame_of_the_page(web: Web) -> None:
    page = httpx.get(web.url + "/nothing/<b>here", headers=HTML)
    assert page.status_code == 404
    assert "Skip to the content" in page.text
    assert "<b>here" not in page.text
    plain_words = httpx.get(web.url + "/nothing")
    assert plain_words.status_code == 404
    assert plain_words.text == "there is nothing at /nothing\n"


def test_nothing_is_loaded_from_elsewhere_and_nobody_frames_the_page(web: Web) -> None:
    answer = httpx.get(web.url + "/", follow_redirects=True)
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert not [part for part in policy.values() if "http" in part or "*" in part]
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/s/default", "/sessions", "/assets/page.css", "/v1/models", "/nothing"])
def test_names_and_origins_are_checked_whatever_is_asked_for(web: Web, path: str) -> None:
    rebound = httpx.get(web.url + path, headers={"Host": "evil.example"})
    assert rebound.status_code == 421
    assert "evil.example" in rebound.text
    crossed = httpx.get(web.url + path, headers=FOREIGN)
    assert crossed.status_code == 403
    assert "http://evil.example" in crossed.text


def test_an_rpc_asked_by_another_site_does_nothing(web: Web, target: str) -> None:
    create = web.url + "/emotional_ai.v1.EmotionEngine/CreateSession"
    refused = httpx.post(create, json={"sessionId": "planted"}, headers=FOREIGN)
    assert refused.status_code == 403
    assert httpx.post(create, json={"sessionId": "planted"}, headers={"Host": "evil.example"}).status_code == 421
    with Client(target) as client:
        assert "planted" not in [one.session_id for one in client.list_sessions()]
    assert httpx.post(create, json={"sessionId": "mine"}, headers={"Origin": web.url}).status_code == 200


def test_a_browser_that_leaves_before_it_is_answered_fills_no_log(web: Web) -> None:
    where = urlsplit(web.url)
    script = re.search(r"/_nicegui/[^\"]+\.js", httpx.get(f"{web.url}/sessions").text)
    assert script is not None
    for _ in range(5):
        with socket.create_connection((where.hostname, where.port)) as leaving:
            leaving.sendall(f"GET {script[0]} HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
    assert httpx.get(f"{web.url}/sessions").status_code == 200
    assert web.complaints() == ""


def test_the_websocket_is_opened_by_the_page_alone(web: Web) -> None:
    assert " 101 " in handshake(web, Origin=web.url)
    for origin in ("http://evil.example", "null"):
        refused = handshake(web, Origin=origin)
        assert " 403 " in refused
        assert f"a page of {origin} may not ask this one" in refused
    strange = handshake(web, Host="evil.example")
    assert " 421 " in strange
    assert "Start it with --allow-host NAME" in strange


def test_without_its_token_nothing_is_served(locked: Web) -> None:
    for path in ("/", "/s/default", "/assets/page.css", "/v1/models"):
        answer = httpx.get(locked.url + path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "Authorization: Bearer" in answer.text
    assert httpx.post(locked.url + RPC, json={}).status_code == 401
    refused = handshake(locked, Origin=locked.url)
    assert " 401 " in refused
    assert "a token is needed" in refused


def test_a_bearer_token_opens_the_doors(locked: Web) -> None:
    right = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.post(locked.url + RPC, json={}, headers=right).status_code == 200
    assert httpx.get(locked.url + "/v1/models", headers=right).status_code == 200
    assert httpx.post(locked.url + RPC, json={}, headers={"Authorization": "Bearer wrong"}).status_code == 401


@pytest.mark.parametrize(
    ("key", "headers", "status", "code", "words"),
    [
        ("wrong", {}, 401, "invalid_api_key", "a token is needed: send it as `Authorization: Bearer TOKEN`"),
        (TOKEN, FOREIGN, 403, "origin_not_allowed", "a page of http://evil.example may not ask this one"),
        (TOKEN, {"Host": "evil.example"}, 421, "unknown_host", "this is not evil.example"),
    ],
)
def test_the_official_client_of_the_chat_door_is_told_why_it_may_not_come_in(
    locked: Web, key: str, headers: dict[str, str], status: int, code: str, words: str
) -> None:
    with (
        OpenAI(base_url=locked.url + "/v1", api_key=key, default_headers=headers, max_retries=0) as client,
        pytest.raises(APIStatusError, match=words) as refused,
    ):
        client.models.list()
    assert refused.value.status_code == status
    assert refused.value.code == code
    assert refused.value.type == "invalid_request_error"


def test_a_token_does_not_let_another_site_ask(locked: Web) -> None:
    right = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.post(locked.url + RPC, json={}, headers=right | FOREIGN).status_code == 403


def test_a_visitor_gives_the_token_in_a_form_and_is_let_in_by_a_cookie(locked: Web) -> None:
    with httpx.Client(base_url=locked.url, headers=HTML) as browser:
        form = browser.get("/s/default")
        assert form.status_code == 401
        assert 'name="next" value="/s/default"' in form.text
        wrong = browser.post("/login", data={"token": "wrong", "next": "/s/default"})
        assert wrong.status_code == 401
        assert "That is not the token" in wrong.text
        assert "set-cookie" not in wrong.headers
        let_in = browser.post("/login", data={"token": TOKEN, "next": "/s/default"})
        assert let_in.status_code == 303
        assert let_in.headers["location"] == "/s/default"
        cookie = let_in.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert "Secure" not in cookie
        assert TOKEN not in cookie
        assert browser.get("/s/default").status_code == 200
        assert " 101 " in handshake(locked, Origin=locked.url, Cookie=cookie.partition(";")[0])


@pytest.mark.parametrize("other", ['prefs={"a":1}', "flag", "a[b]=1", 'x="open', "a b=1"])
def test_cookies_of_others_on_this_host_are_of_any_form_and_do_not_shut_out(locked: Web, other: str) -> None:
    let_in = httpx.post(locked.url + "/login", data={"token": TOKEN, "next": "/"})
    cookie = let_in.headers["set-cookie"].partition(";")[0]
    assert httpx.get(locked.url + "/health", headers=HTML | {"Cookie": f"{other}; {cookie}"}).status_code == 200
    assert httpx.get(locked.url + "/health", headers=HTML | {"Cookie": other}).status_code == 401


def test_the_cookie_of_a_login_by_https_is_sent_by_https_alone(locked: Web) -> None:
    through_a_proxy = {"Origin": locked.url.replace("http:", "https:")}
    let_in = httpx.post(locked.url + "/login", data={"token": TOKEN, "next": "/"}, headers=through_a_proxy)
    assert "; Secure" in let_in.headers["set-cookie"]


def test_a_token_in_the_address_is_taken_once_and_leaves_it(locked: Web) -> None:
    with httpx.Client(base_url=locked.url, headers=HTML) as browser:
        let_in = browser.get("/s/default", params={"token": TOKEN, "other": "1"})
        assert let_in.status_code == 303
        assert let_in.headers["location"] == "/s/default?other=1"
        assert browser.get(let_in.headers["location"]).status_code == 200
    assert httpx.get(locked.url + "/s/default?token=wrong", headers=HTML).status_code == 401


@pytest.mark.parametrize("where", ["//evil.example/", "http://evil.example/", "/\\evil.example", "javascript:x", ""])
def test_a_login_leads_nowhere_else(locked: Web, where: str) -> None:
    let_in = httpx.post(locked.url + "/login", data={"token": TOKEN, "next": where})
    assert let_in.headers["location"] == "/"


def test_a_login_too_long_to_be_one_is_not_read_on(locked: Web) -> None:
    assert httpx.post(locked.url + "/login", data={"padding": "x" * 100_000, "token": TOKEN}).status_code == 401


def test_a_form_shows_what_was_asked_for_as_text(locked: Web) -> None:
    form = httpx.post(locked.url + "/login", data={"token": "wrong", "next": '"><script>x</script>'})
    assert "<script>" not in form.text


def test_a_name_that_is_allowed_is_served(target: str, tmp_path: Path) -> None:
    with web_process(target, tmp_path / "log", "--allow-host", "emotional.example", "--token", TOKEN) as page:
        named = {"Host": "emotional.example", "Origin": "https://emotional.example"}
        assert httpx.get(page.session("default"), headers=named).status_code == 401
        named["Authorization"] = f"Bearer {TOKEN}"
        assert httpx.get(page.session("default"), headers=named).status_code == 200


def test_to_listen_beyond_this_machine_a_token_is_needed() -> None:
    refused = CommandLine("127.0.0.1:1")("web", "--host", "0.0.0.0", "--port", "0")
    assert refused.status == 1
    assert "--token" in refused.err
    assert "EMOTIONAL_AI_WEB_TOKEN" in refused.err


def test_to_be_reached_by_another_name_a_token_is_needed_that_nobody_guesses() -> None:
    for more, wrong in (((), "--token"), (("--token", "short"), "16 or more characters")):
        refused = CommandLine("127.0.0.1:1")("web", "--allow-host", "mood.example", "--port", "0", *more)
        assert refused.status == 1
        assert wrong in refused.err
        assert "secrets.token_urlsafe(24)" in refused.err


def test_a_port_that_is_taken_is_named(web: Web) -> None:
    port = urlsplit(web.url).port
    refused = CommandLine("127.0.0.1:1")("web", "--port", str(port))
    assert refused.status == 1
    assert f"port {port} of 127.0.0.1" in refused.err
    assert "--port" in refused.err


def test_an_address_of_another_machine_is_named() -> None:
    refused = CommandLine("127.0.0.1:1")("web", "--host", "192.0.2.1", "--token", TOKEN, "--port", "0")
    assert refused.status == 1
    assert "192.0.2.1 is no address of this machine" in refused.err
    assert "name one of its own with --host" in refused.err
    assert "--port" not in refused.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_page(target: str, tmp_path: Path, number: signal.Signals) -> None:
    with web_process(target, tmp_path / "log") as page:
        httpx.get(page.session("default"))
        page.process.send_signal(number)
        assert page.process.wait(PATIENCE) == 0
        assert page.complaints() == ""


def test_the_page_ends_with_whoever_holds_its_input(target: str, tmp_path: Path) -> None:
    with subprocess.Popen(
        command(target, "--with-parent"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=plain()
    ) as page:
        assert page.stdout is not None
        assert page.stdout.readline().startswith("ready ")
        page.communicate(timeout=PATIENCE)
    assert page.returncode == 0


def test_a_signal_ends_the_page_while_its_input_is_held(target: str, tmp_path: Path) -> None:
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(
            command(target, "--with-parent"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=plain()
        ) as page,
    ):
        assert page.stdout is not None
        assert page.stdout.readline().startswith(b"ready ")
        page.send_signal(signal.SIGTERM)
        assert page.wait(PATIENCE) == 0
    assert (tmp_path / "log").read_text() == ""


def test_the_page_begins_without_a_service_says_so_and_shows_a_session_once_it_is_there(tmp_path: Path) -> None:
    port = free_port()
    with web_process(f"127.0.0.1:{port}", tmp_path / "log") as page:
        waiting = httpx.get(page.session("default"))
        assert waiting.status_code == 200
        assert "Waiting for the service" in waiting.text
        with service_process("--engine-only", port=port):
            until(lambda: "desk-choice" in httpx.get(page.session("default")).text)


def test_a_conversation_says_where_its_page_is() -> None:
    ran = conversation("--web-port", "0")
    assert "the page: http://127.0.0.1:" in ran.stderr
    assert "the page" not in ran.stdout


def test_a_conversation_goes_on_where_the_port_of_its_page_is_taken(web: Web) -> None:
    ran = conversation("--web-port", str(urlsplit(web.url).port))
    assert ran.returncode == 0
    assert "no page: port" in ran.stderr
    assert "--web-port" in ran.stderr


def test_a_conversation_may_have_no_page() -> None:
    assert "page" not in conversation("--no-web").stderr


def conversation(*flags: str) -> "subprocess.CompletedProcess[str]":
    """`emotional-ai run` over a pipe that says nothing."""
    ran = [sys.executable, "-m", "emotional_ai", "run", "--engine-only", "--store", "memory", "--port", "0", *flags]
    return subprocess.run(ran, input="", capture_output=True, text=True, timeout=PATIENCE, env=plain(), check=False)


def plain() -> dict[str, str]:
    """The environment without the marks of a test, by which NiceGUI serves otherwise."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
