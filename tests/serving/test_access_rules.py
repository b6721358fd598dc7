"""Which rule of ``access.toml`` holds for a request; every doubt is a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from ragkit import Index, InputError
from ragkit.cli import cli
from ragkit.serving.access import Access, Identity, Usage, new_token, token_digest
from ragkit.serving.access.limits import Limits
from support.access_rules import load, status, who
from support.restricted_corpus import BOARD, CORPUS, PRESS, PROXY, bearer, rules_file

# Tokens.


def test_a_token_is_known_by_its_digest_or_by_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOBBY", " lobby-token\n")
    token = new_token()
    access = load(
        tmp_path,
        f"[limits]\nrequests_per_minute = 60\n"
        f"[[token]]\nname = 'a'\nsha256 = '{token_digest(token)}'\nwhere = {{ tag = 'x' }}\n"
        f"[[token]]\nname = 'b'\nenv = 'LOBBY'\neverything = true\nquestions_per_day = 5\n",
    )
    first, second = who(access, bearer(token)), who(access, bearer("lobby-token"))
    assert isinstance(first, Identity)
    assert isinstance(second, Identity)
    assert (first.rule, first.where, first.limits) == ("a", {"tag": "x"}, Limits(60, None))
    assert (second.rule, second.where, second.limits) == ("b", None, Limits(60, 5))
    assert token_digest(token) not in token
    assert who(access, bearer(token_digest(token))) == 401  # the file's content lets nobody in


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_no_other_header_lets_anybody_in(text: str) -> None:
    access = Access.of_token("secret")
    if text.strip() != "secret":
        for value in (text, f"Bearer {text}", f"Basic {text}", f"secret {text}", f"Bearer{text}"):
            assert who(access, {"authorization": value}) == 401


def test_tokens_are_long_and_different() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 40


# The file.

TOKEN = f"[[token]]\nname = 'a'\nsha256 = '{token_digest('x')}'\n"
PROXY_TABLE = "[proxy]\naddresses = ['10.0.0.5']\nuser = 'X-User'\n"
GROUP = "[[group]]\nname = 'g'\neveryone = true\neverything = true\n"
JWT = "[proxy]\naddresses = ['10.0.0.5']\nuser = 'sub'\n[proxy.jwt]\naudience = 'a'\nissuer = 'i'\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lets nobody in"),
        ("[[token]", "cannot be read"),
        ("tokens = 3", "tokens: Extra inputs"),
        (TOKEN, "token 1: expected either where"),
        (TOKEN + "where = {}", "token 1, where: it has no condition"),
        (TOKEN + "where = { tag = 'x' }\neverything = true", "expected either where"),
        (TOKEN + "where = { tag = { min = 1, max = 'x' } }", "the condition on 'tag'"),
        (TOKEN + "where = { date = 2026-01-01 }", "the condition on 'date'"),
        (TOKEN + "where = { tag = { from = 'tenant' } }", "a token has no claims"),
        (TOKEN + "where = 'tag=x'", "where: Input should be a valid dictionary"),
        (TOKEN + "everything = 'yes'", "everything: Input should be a valid boolean"),
        (TOKEN + "everything = true\nenv = 'X'", "expected either sha256"),
        (TOKEN + "everything = true\nquestions_per_day = 0", "questions_per_day"),
        (TOKEN + "everything = true\nrequest_per_minute = 5", "Extra inputs"),
        ((TOKEN + "everything = true\n") * 2, "two rules have the name 'a'"),
        (TOKEN + "everything = true\n" + TOKEN.replace("'a'", "'b'") + "everything = true", "the same token"),
        ("[[token]]\nname = 'a'\neverything = true", "expected either sha256"),
        ("[[token]]\nname = 'a'\nsha256 = 'secret'\neverything = true", "sha256"),
        ("[[token]]\nname = 'a'\nenv = 'NOT_SET_ANYWHERE'\neverything = true", "is not set"),
        ("[[token]]\nname = 'a'\nenv = 'BLANK'\neverything = true", "blank"),
        (PROXY_TABLE, "need each other"),
        (GROUP, "need each other"),
        (PROXY_TABLE + "[[group]]\nname = 'g'\neverything = true", "expected either when"),
        (PROXY_TABLE + "[[group]]\nname = 'g'\nwhen = {}\neverything = true", "it has no condition"),
        (PROXY_TABLE + "[[group]]\nname = 'g'\nwhen = { a = { from = 'b' } }\neverything = true", "only where can"),
        (PROXY_TABLE.replace("10.0.0.5", "0.0.0.0/0") + GROUP, "every address"),
        (PROXY_TABLE.replace("10.0.0.5", "::/0") + GROUP, "every address"),
        (PROXY_TABLE.replace("10.0.0.5", "10.0.0.5/8") + GROUP, "host bits"),
        (PROXY_TABLE.replace("10.0.0.5", "proxy.example.org") + GROUP, "expected such as"),
        (PROXY_TABLE.replace("['10.0.0.5']", "[]") + GROUP, "addresses"),
        (JWT + "algorithms = []\nkey_file = 'key'\n" + GROUP, "algorithms"),
        (JWT + "algorithms = ['none']\nkey_file = 'key'\n" + GROUP, "'none' is not allowed"),
        (JWT + "algorithms = ['RS256', 'HS256']\nkey_file = 'key'\n" + GROUP, "'HS256' is not allowed"),
        (JWT + "algorithms = ['RS256']\nsecret_env = 'BLANK'\n" + GROUP, "'RS256' is not allowed"),
        (JWT + "algorithms = ['RS256']\n" + GROUP, "key_file or secret_env"),
        (JWT + "algorithms = ['RS256']\nkey_file = 'none.pem'\n" + GROUP, "none.pem cannot be used"),
        (JWT + "algorithms = ['RS256']\nkey_file = 'rules.toml'\n" + GROUP, "cannot be used"),
        (JWT + "algorithms = ['HS256']\nsecret_env = 'SHORT'\n" + GROUP, "at least 32 bytes"),
        (JWT.replace("audience = 'a'", "") + "algorithms = ['HS256']\nsecret_env = 'SHORT'\n" + GROUP, "audience: Field required"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_whole_and_clear_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.setenv("BLANK", " ")
    monkeypatch.setenv("SHORT", "x" * 31)
    with pytest.raises(InputError) as refused:
        load(tmp_path, text)
    assert message in str(refused.value)


# Headers of a proxy.


@pytest.fixture
def access(tmp_path: Path) -> Access:
    return Access.load(rules_file(tmp_path))


def test_a_proxy_names_the_user_and_their_groups(access: Access) -> None:
    headers = {"x-forwarded-user": "ann", "x-forwarded-groups": "readers, staff"}
    identity = who(access, headers)
    assert isinstance(identity, Identity)
    assert (identity.user, identity.rule) == ("user ann", "staff")
    assert identity.where == {"audience": ["all", "staff"]}
    assert isinstance(who(access, headers, f"::ffff:{PROXY}"), Identity)
    for address in (
        "10.0.0.6",
        "::ffff:10.0.0.6",
        "::1",
        "",
        "localhost",
        "10.0.0.5.example.org",
        None,
    ):
        assert who(access, headers, address) == 401  # fmt: skip


def test_a_token_decides_before_the_proxy_does(access: Access) -> None:
    headers = {"x-forwarded-user": "ann", "x-forwarded-groups": "staff"}
    identity = who(access, {**headers, **bearer(PRESS)})
    assert isinstance(identity, Identity)
    assert identity.rule == "press"
    assert isinstance(who(access, {**headers, **bearer("the proxy's own")}), Identity)


@pytest.mark.parametrize("twice", ["x-forwarded-user", "x-forwarded-groups"])
def test_a_header_that_comes_twice_is_refused(access: Access, twice: str) -> None:
    raw = [(b"x-forwarded-user", b"ann"), (b"x-forwarded-groups", b"staff"), (twice.encode(), b"staff")]  # fmt: skip
    assert status(access.identify(Headers(raw=raw), PROXY)) == 401


def test_a_user_cannot_be_several_by_a_comma(tmp_path: Path) -> None:
    rule = "[[group]]\nname = 'own'\neveryone = true\nwhere = { owner = { from = 'X-User' } }\n"
    access = load(tmp_path, PROXY_TABLE + rule)
    for name in ("ann", "ann,bob"):
        identity = who(access, {"x-user": name})
        assert isinstance(identity, Identity)
        assert identity.where == {"owner": name}


def test_the_first_group_that_holds_decides(tmp_path: Path) -> None:
    groups = "".join(
        f"[[group]]\nname = '{name}'\nwhen = {{ X-Groups = '{name}' }}\nwhere = {{ tag = '{name}' }}\n"
        for name in ("a", "b")
    )
    access = load(tmp_path, PROXY_TABLE + groups)
    identity = who(access, {"x-user": "ann", "x-groups": "b,a"})
    assert isinstance(identity, Identity)
    assert identity.where == {"tag": "a"}


# Limits.


def test_requests_are_counted_for_each_user_and_each_minute() -> None:
    now = 60.0 * 1000 + 20
    usage = Usage(clock=lambda: now)
    limits = Limits(requests_per_minute=2, questions_per_day=3)
    assert [usage.count_request("ann", limits) for _ in range(4)] == [0, 0, 40, 40]
    assert usage.count_request("bob", limits) == 0
    assert usage.count_request("ann", Limits()) == 0
    now += 40
    assert usage.count_request("ann", limits) == 0
    now -= 60  # the clock is set back
    assert [usage.count_request("ann", limits) for _ in range(2)] == [0, 120]


def test_questions_are_counted_for_each_day() -> None:
    now = 86400.0 * 20_000
    usage = Usage(clock=lambda: now)
    limits = Limits(questions_per_day=3)
    assert [usage.count_question("ann", limits) for _ in range(4)] == [0, 0, 0, 86400]
    now += 86399.5
    assert usage.count_question("ann", limits) == 1
    now += 0.5
    assert usage.count_question("ann", limits) == 0


# The commands.


def test_the_printed_rule_lets_the_printed_token_in(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["access", "token", 'the "press"'])
    token = done.stderr.removeprefix("token: ").strip()
    assert token not in done.stdout
    access = load(tmp_path, done.stdout.replace("{}", "{ tag = 'x' }"))
    identity = who(access, bearer(token))
    assert isinstance(identity, Identity)
    assert identity.rule == 'the "press"'
    with pytest.raises(InputError, match="it has no condition"):
        load(tmp_path, done.stdout)


def test_the_check_counts_what_each_rule_lets_read(tmp_path: Path) -> None:
    Index.build(list(CORPUS)).save(tmp_path / "index")
    group = (
        "\n[[group]]\nname = 'own'\neveryone = true\nwhere = { by = { from = 'X-Forwarded-User' } }"
    )
    rules = rules_file(tmp_path)
    rules.write_text(rules.read_text(encoding="utf-8") + group, encoding="utf-8")
    done = CliRunner().invoke(
        cli, ["access", "check", str(rules), "--index", str(tmp_path / "index")]
    )
    assert done.output.splitlines() == [
        "press: 2 of 4 documents", "board: 4 of 4 documents", "misspelt: 0 of 4 documents",
        "staff: 3 of 4 documents", "own: as the user's claims say of 4 documents",
    ]  # fmt: skip
    assert BOARD not in done.output


def test_a_rule_for_a_name_in_any_script_can_be_loaded(tmp_path: Path) -> None:
    made = CliRunner().invoke(cli, ["access", "token", "Presse 😀 \\ „x“"])
    access = load(tmp_path, made.stdout.replace("where = {}", 'where = { audience = "all" }'))
    token = made.stderr.strip().split()[-1]
    identity = who(access, bearer(token))
    assert isinstance(identity, Identity)
    assert identity.rule == "Presse 😀 \\ „x“"
