"""Tokens: how they are made, kept, rotated and read from their file."""

import re
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai_service.access.errors import TokensUnusable
from emotional_ai_service.access.keyring import Keyring
from emotional_ai_service.access.records import FORMAT, of_text, to_text
from emotional_ai_service.access.token import Kept, Token, digest_of, id_of, new_id, written
from emotional_ai_service.access.token_file import TokenFile
from emotional_ai_service.callers import Scope, tenant_name
from emotional_ai_service.errors import TokenExpired, TokenUnknown
from emotional_ai_service.flags.duration import microseconds_of
from emotional_ai_service.reread import mark_of

SECOND = 1_000_000
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)
TIMES = st.integers(0, 4_000_000_000).map(lambda seconds: seconds * SECOND)
TOKENS = st.builds(
    Token,
    token_id=st.from_regex("[0-9a-f]{8}", fullmatch=True),
    tenant=st.from_regex("[a-z0-9_-]{1,64}", fullmatch=True),
    scopes=st.frozensets(st.sampled_from(Scope), min_size=1),
    created_us=TIMES,
    expires_us=st.none() | TIMES,
    note=st.text(max_size=40),
    secrets=st.lists(
        st.builds(Kept, digest=st.binary(min_size=32, max_size=32), until_us=st.none() | TIMES), max_size=3
    ).map(tuple),
)


def known(keyring: Keyring, text: str, now_us: int) -> str:
    """The id of the token that is written so."""
    return keyring.known(id_of(text) or "", digest_of(text), now_us).token_id


def token(text: str, **changes: object) -> Token:
    made = Token(id_of(text) or "", "acme", frozenset({Scope.READ}), 0, secrets=(Kept(digest_of(text)),))
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_token_names_its_id_and_holds_256_random_bits() -> None:
    text = written("0a1b2c3d")
    assert re.fullmatch(r"ea_0a1b2c3d_[0-9a-f]{64}", text)
    assert id_of(text) == "0a1b2c3d"
    assert text != written("0a1b2c3d")


@given(ANY_TEXT)
def test_any_text_is_looked_up_without_a_fault(text: str) -> None:
    keyring = Keyring([token(written("0a1b2c3d"))])
    with pytest.raises(TokenUnknown):
        known(keyring, text, 0)


def test_a_token_is_known_by_the_whole_of_it_alone() -> None:
    text, other = written("0a1b2c3d"), written("11111111")
    keyring = Keyring([token(text), token(other)])
    assert known(keyring, text, 0) == "0a1b2c3d"
    for wrong in (text[:-1], text + "0", text.upper(), f" {text}", other.replace("11111111", "0a1b2c3d"), "", "ea__"):
        with pytest.raises(TokenUnknown):
            known(keyring, wrong, 0)


def test_an_expired_token_is_told_to_whoever_knows_its_secret_and_to_nobody_else() -> None:
    text = written("0a1b2c3d")
    keyring = Keyring([token(text, expires_us=100)])
    assert known(keyring, text, 99) == "0a1b2c3d"
    with pytest.raises(TokenExpired, match="0a1b2c3d"):
        known(keyring, text, 100)
    with pytest.raises(TokenUnknown):
        known(keyring, written("0a1b2c3d"), 100)


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 150)), max_size=6), st.integers(0, 400))
def test_a_rotated_secret_holds_for_its_overlap_and_no_later_one_lengthens_it(
    rotations: list[tuple[int, int]], later: int
) -> None:
    first, now = written("0a1b2c3d"), 0
    kept, ends = token(first), {first: None}
    model: dict[str, int | None] = dict(ends)
    for pause, overlap in rotations:
        now += pause
        text = written("0a1b2c3d")
        kept = kept.rotated(text, now, overlap)
        model = {
            one: now + overlap if until is None else min(until, now + overlap)
            for one, until in model.items()
            if until is None or now < until
        } | {text: None}
    now += later
    for one, until in model.items():
        assert kept.accepts(digest_of(one), now) == (until is None or now < until)


@given(st.lists(TOKENS, max_size=4, unique_by=lambda one: one.token_id))
def test_what_is_written_is_read_again_and_shows_no_secret(tokens: list[Token]) -> None:
    assert of_text(to_text(tokens)) == tokens


WHOLE = to_text([token(written("0a1b2c3d"))])


@pytest.mark.parametrize("cut", [1, 10, len(WHOLE) // 2, len(WHOLE) - 3])
def test_a_file_that_was_cut_off_is_told(cut: int) -> None:
    with pytest.raises(TokensUnusable, match="cut off"):
        of_text(WHOLE[:cut])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (FORMAT, "something else", "is no file of tokens"),
        ('"id": "0a1b2c3d"', '"id": "../../x"', r"tokens\[0\].id must be eight hexadecimal digits"),
        ('"tenant": "acme"', '"tenant": "Ac me"', r"tokens\[0\].tenant a tenant is named by"),
        ('["read"]', '["root"]', r"tokens\[0\].scopes must name one or more of read, write, train, admin"),
        ('["read"]', "[]", r"tokens\[0\].scopes must name"),
        ('"expires": null', '"expires": "tomorrow"', r"tokens\[0\].expires must be a time such as"),
        ('"expires": null', '"expires": 7', r"tokens\[0\].expires must be a time such as"),
        ('"sha256": "', '"sha256": "ea_', r"tokens\[0\].secrets\[0\].sha256 must be the 64"),
        ('"note": ""', '"note": 5', r"tokens\[0\].note must be text"),
    ],
)
def test_what_no_token_can_be_is_refused_by_name(old: str, new: str, told: str) -> None:
    assert WHOLE.count(old) == 1
    with pytest.raises(TokensUnusable, match=told):
        of_text(WHOLE.replace(old, new))


def test_a_secret_pasted_where_its_digest_belongs_is_not_repeated() -> None:
    secret = written("0a1b2c3d")
    with pytest.raises(TokensUnusable) as told:
        of_text(re.sub(r'"sha256": "\w+"', f'"sha256": "{secret}"', WHOLE))
    assert secret not in str(told.value)


def test_two_tokens_of_one_id_are_refused() -> None:
    one = token(written("0a1b2c3d"))
    with pytest.raises(TokensUnusable, match="two tokens of the id 0a1b2c3d"):
        of_text(to_text([one, one]))


def appended(one: Token) -> Callable[[Sequence[Token]], list[Token]]:
    return lambda known: [*known, one]


def test_the_file_is_its_owners_alone_and_many_changes_at_once_are_all_kept(tmp_path: Path) -> None:
    file = TokenFile(tmp_path / "deep" / "tokens.json")
    made = [token(written(new_id())) for _ in range(16)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: file.change(appended(one)), made))
    assert sorted(one.token_id for one in file.read()) == sorted(one.token_id for one in made)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [one.name for one in file.path.parent.iterdir() if one.name.startswith(".")] == []


def test_a_change_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = TokenFile(tmp_path / "tokens.json")
    file.change(appended(token(written("0a1b2c3d"))))
    before = file.path.read_bytes()
    with pytest.raises(ZeroDivisionError):
        file.change(lambda known: [known[0]] * (1 // 0))
    assert file.path.read_bytes() == before
    file.path.write_bytes(before[:-9])
    with pytest.raises(TokensUnusable, match="cut off"):
        file.change(appended(token(written("11111111"))))
    assert file.path.read_bytes() == before[:-9]


def test_a_file_that_others_can_write_is_refused_with_what_mends_it(tmp_path: Path) -> None:
    file = TokenFile(tmp_path / "tokens.json")
    file.change(list)
    file.path.chmod(0o620)
    with pytest.raises(TokensUnusable, match="chmod 600"):
        file.read()


def test_a_linked_file_stays_linked(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    TokenFile(tmp_path / "kept" / "tokens.json").change(list)
    link = tmp_path / "tokens.json"
    link.symlink_to("kept/tokens.json")
    TokenFile(link).change(appended(token(written("0a1b2c3d"))))
    assert link.is_symlink()
    assert len(TokenFile(tmp_path / "kept" / "tokens.json").read()) == 1


def test_a_file_that_is_not_there_is_refused_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(TokensUnusable, match="emotional-ai tokens add --tokens"):
        TokenFile(tmp_path / "tokens.json").read()


def test_every_change_of_the_file_or_its_permissions_shows(tmp_path: Path) -> None:
    file = TokenFile(tmp_path / "tokens.json")
    marks = [mark_of(file.path)]
    file.change(list)
    marks.append(mark_of(file.path))
    file.change(list)
    marks.append(mark_of(file.path))
    file.path.chmod(0o400)
    marks.append(mark_of(file.path))
    assert len(set(marks)) == 4


@pytest.mark.parametrize(
    ("text", "seconds"), [("45s", 45), ("30m", 1800), ("1h", 3600), ("90d", 7_776_000), ("2w", 1_209_600)]
)
def test_spans_of_time_are_read_as_people_write_them(text: str, seconds: int) -> None:
    assert microseconds_of(text) == seconds * SECOND


@given(ANY_TEXT.filter(lambda text: not re.fullmatch(r"[0-9]{1,6}[smhdw]|[a-z0-9_-]{1,64}", text)))
def test_what_is_no_span_or_tenant_is_refused_in_few_words(text: str) -> None:
    for read in (microseconds_of, tenant_name):
        with pytest.raises(ValueError, match=r"got ['\"]") as told:
            read(text)
        assert len(str(told.value)) < 1000
