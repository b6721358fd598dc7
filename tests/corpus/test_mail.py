"""Mail: messages and mailboxes become documents, whatever is broken in them."""

from __future__ import annotations

import io
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit import Index
from ragkit.corpus import iter_sources
from ragkit.corpus.mail import parse, parse_mailbox
from ragkit.corpus.parser import ParsedDocument
from ragkit.errors import SourceError


def read(data: bytes) -> ParsedDocument:
    [document] = parse(io.BytesIO(data), Path("a.eml"))
    return document


def mailbox(data: bytes, name: str = "in/box.mbox") -> list[ParsedDocument]:
    return list(parse_mailbox(io.BytesIO(data), Path(name)))


def message() -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = "Grüße vom Kai"
    mail["From"] = "Ann Berg <ann@x.org>"
    mail["To"] = 'Ben <b@x.org>, "Orr, J." <o@x.org>'
    mail["Date"] = "Mon, 04 Mar 2024 10:02:00 +0100"
    mail.set_content(
        "The boat is at pier four.\n\nOn Sunday, Ben wrote:\n> And who has the key?\nCy has it.\n"
    )
    return mail


def test_a_message_is_a_document_with_its_subject_as_title() -> None:
    document = read(bytes(message()))
    assert document.title == "Grüße vom Kai"
    assert document.metadata == {
        "from": "ann@x.org",
        "to": ("b@x.org", "o@x.org"),
        "date": "2024-03-04T10:02:00+01:00",
    }
    assert document.text.startswith("From: Ann Berg <ann@x.org>\nTo: Ben <b@x.org>,")


def test_a_quotation_keeps_its_marks_and_is_a_paragraph_of_its_own() -> None:
    assert read(bytes(message())).text.endswith(
        "On Sunday, Ben wrote:\n> And who has the key?\n\nCy has it."
    )


def test_plain_text_is_preferred_and_attachments_are_named_and_not_read() -> None:
    mail = message()
    mail.add_alternative("<p>As HTML.</p>", subtype="html")
    mail.add_attachment(b"secret", maintype="text", subtype="plain", filename="Plän.txt")
    document = read(bytes(mail))
    assert "As HTML" not in document.text
    assert "secret" not in document.text
    assert document.metadata["attachments"] == ("Plän.txt",)
    assert document.text.endswith("Attachments: Plän.txt")


def test_html_is_read_where_there_is_no_plain_text() -> None:
    mail = EmailMessage()
    mail.set_content("<h2>Fares</h2><table><tr><td>Leith<td>4</table>", subtype="html")
    document = read(bytes(mail))
    assert document.text == "Fares\n\nLeith | 4"
    assert [section.path for section in document.sections] == [("Fares",)]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (
            b"Subject: =?utf-8?B?!!?= \xff\nContent-Type: text/plain; charset=no\n\nk\xf6ln\n",
            "köln",
        ),
        (
            b"Content-Type: multipart/mixed; boundary=x\n\nno boundary at all\n",
            "no boundary at all",
        ),
        (b"Content-Type: text/plain; charset=big5\n\n\xa7A\xa6n\n", "你好"),
        (b"Date: 99 Foo\nContent-Transfer-Encoding: base64\n\n!!!\n", "Date: 99 Foo"),
        (b"Subject: only a subject\n\n", "only a subject"),
        (b"no header at all\n", "no header at all"),
    ],
)
def test_what_is_broken_in_a_message_does_not_refuse_it(data: bytes, text: str) -> None:
    assert read(data).text == text


def test_a_file_that_is_no_message_is_refused_by_what_it_is() -> None:
    with pytest.raises(SourceError, match="binary"):
        read(b"\x89PNG\r\n\0\0")


BOX = (
    b"From a@b Mon Mar  4 10:02:00 2024\nMessage-ID: <1@x>\nSubject: one\n\nFirst.\n\n"
    b"From here on it is text.\n>From is escaped.\n\n"
    b"From a@b Mon Mar  4 10:03:00 2024\nMessage-ID: <2@x>\n\nSecond.\n\n"
    b"From a@b Mon Mar  4 10:04:00 2024\nX-Empty: yes\n\n"
)


def test_each_message_of_a_mailbox_is_a_document() -> None:
    first, second = mailbox(BOX)
    assert first.text == "First.\n\nFrom here on it is text.\nFrom is escaped."
    assert (second.title, second.text) == ("Message without a subject", "Second.")


def test_the_id_of_a_message_stays_when_others_come_before_it() -> None:
    more = b"From c@d Mon Mar  4 09:00:00 2024\nMessage-ID: <0@x>\n\nEarlier.\n\n" + BOX
    assert [one.part for one in mailbox(more)][1:] == [one.part for one in mailbox(BOX)]


def test_a_message_that_is_in_a_mailbox_twice_has_two_ids() -> None:
    ids = [one.part for one in mailbox(BOX + BOX)]
    assert len(set(ids)) == 4
    assert ids[2] == f"{ids[0]}-2"


def test_a_folder_of_broken_mail_is_not_refused(tmp_path: Path) -> None:
    (tmp_path / "box.mbox").write_bytes(BOX)
    (tmp_path / "empty.mbox").write_bytes(b"")
    (tmp_path / "a.eml").write_bytes(b"\xff\0")
    loaded = iter_sources(tmp_path)
    assert len(list(loaded)) == 2
    assert sorted(file.path.name for file in loaded.left_out.files) == ["a.eml", "empty.mbox"]


@given(st.binary(max_size=300), st.sampled_from([b"", b"Content-Type: multipart/mixed; boundary=x\n",
       b"Content-Type: text/html\n", b"From: \nTo: =?x?q?", b"Content-Disposition: attachment;"]))  # fmt: skip
def test_any_bytes_are_a_message_or_refused(data: bytes, head: bytes) -> None:
    try:
        document = read(head + data)
    except SourceError:
        return
    document.text.encode()
    assert document.sections


def multipart(kind: str, *parts: tuple[str, str]) -> bytes:
    own = "".join(
        f"--x\nContent-Type: text/{name}; charset=utf-8\n\n{text}\n" for name, text in parts
    )
    head = f"From: a@x\nSubject: s\nContent-Type: multipart/{kind}; boundary=x\n\n"
    return f"{head}{own}--x--\n".encode()


def test_of_alternatives_the_plain_text_is_read_and_of_parts_all() -> None:
    html, plain = ("html", "<h1>Term</h1><p>It ends on 3 May.</p>"), ("plain", "A mailing list")
    assert read(multipart("alternative", html, plain)).text == "From: a@x\n\nA mailing list"
    both = read(multipart("mixed", html, plain))
    assert both.text == "From: a@x\n\nTerm\n\nIt ends on 3 May.\n\nA mailing list"
    assert [one.path for one in both.sections] == [(), ("Term",)]


def test_of_alternatives_a_calendar_entry_is_not_read() -> None:
    mail = multipart("alternative", ("calendar", "BEGIN:VCALENDAR"), ("html", "<p>At nine.</p>"))
    assert read(mail).text == "From: a@x\n\nAt nine."


def test_the_messages_of_a_mailbox_have_the_same_ids_after_an_update(tmp_path: Path) -> None:
    one, box = BOX.split(b"From a@b Mon Mar  4 10:03")[0], tmp_path / "in" / "box.mbox"
    box.parent.mkdir()
    box.write_bytes(one)
    Index.build(tmp_path, tmp_path / "index", reader=None)
    [name] = [document.id for document in Index.open(tmp_path / "index").documents]
    box.write_bytes(BOX)
    Index.update(tmp_path / "index")
    ids = [document.id for document in Index.open(tmp_path / "index").documents]
    assert ids[0] == name
    assert [len(own) for own in ids] == [len(name)] * 2


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_headers_that_were_sent_as_they_are_written_are_read(encoding: str) -> None:
    mail = read("From: Jörg <j@x>\nSubject: Köln ist schön\n\nHi\n".encode(encoding))
    assert (mail.title, mail.text) == ("Köln ist schön", "From: Jörg <j@x>\n\nHi")


def test_a_comma_in_an_encoded_name_divides_no_addresses() -> None:
    mail = read(b"From: a@x\nTo: =?utf-8?Q?Doe=2C_Jane?= <j2@x>, b@x\n\nHi\n")
    assert mail.metadata["to"] == ("j2@x", "b@x")


def test_a_time_after_from_in_a_text_begins_no_message() -> None:
    text = BOX.replace(b"From here on it is text.", b"From 10:30 on we met at the pub.")
    assert "From 10:30 on we met" in mailbox(text)[0].text
    assert len(mailbox(text)) == 2


def test_messages_of_two_mailboxes_of_one_name_have_ids_of_their_own(tmp_path: Path) -> None:
    for name in ("anna", "ben"):
        (tmp_path / name / "Mail").mkdir(parents=True)
        (tmp_path / name / "Mail" / "Inbox.mbox").write_bytes(BOX)
    loaded = iter_sources(tmp_path)
    assert len({document.id for document, _ in loaded}) == 4
    assert not loaded.left_out.files
