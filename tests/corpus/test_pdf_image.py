"""Pictures of PDF pages: the marked boxes hold the words of the quote and no others."""

from __future__ import annotations

import io
import subprocess
import sys
import zlib
from pathlib import Path

import pypdfium2
import pytest

from ragkit import Citation, Encoder, Index, IndexStaleError, InputError, PageImage, Span
from ragkit.corpus.pdf_image import PixelBox
from support.parts import ROOT
from support.pdf_files import pdf, text_lines

LEFT = [
    "The clock in the hall was made by a smith", "from Ulm, who signed it on the inner plate of",
    "the case. It was never wound again after the", "great flood. The second clock is of inter-",
    "national fame and stands beside the stairs to", "the library, where visitors may hear it strike",
]  # fmt: skip
RIGHT = [
    "every hour of the day. Its bells were cast in", "a foundry at the river, and one of them is",
    "cracked. A third clock is kept in the cellar,", "because its weights are too heavy for every",
    "floor of the house. It is shown once a year", "when the doors of the cellar are opened and the",
]  # fmt: skip
NEXT = ["curator tells how it was found.", "Nothing else is kept there."]


def columns() -> bytes:
    """A page of two columns, and one whose first line ends the last sentence."""
    head = [(50.0, 750.0, 16.0, "F2", "The clocks")]
    left = text_lines(*LEFT)
    right = text_lines(*RIGHT, left=330)
    # Row by row, as some programs write: the reading order is not the order in the file.
    rows = [line for pair in zip(left, right, strict=True) for line in pair]
    return pdf([[*head, *rows], text_lines(*NEXT)])


@pytest.fixture
def built(tmp_path: Path, tiny: Encoder) -> tuple[Index, Path]:
    path = tmp_path / "clocks.pdf"
    path.write_bytes(columns())
    return Index.build(path, tmp_path / "index", encoder=tiny), path


def citation_of(index: Index, first: str, last: str) -> Citation:
    [document] = index.documents
    start = document.text.index(first)
    return document.cite(Span(start, document.text.index(last, start) + len(last)))


def words_in(path: Path, image: PageImage, boxes: tuple[PixelBox, ...]) -> list[str]:
    """What PDFium itself finds in each box, which it is asked for by place alone."""
    page = pypdfium2.PdfDocument(path)[image.page - 1]
    width, height = page.get_size()
    across, up = width / image.width, height / image.height
    found = []
    for left, top, right, bottom in boxes:
        text = page.get_textpage().get_text_bounded(
            left * across - 1, height - bottom * up, right * across + 1, height - top * up
        )
        found.append(" ".join(text.replace("\ufffe", "-").replace("\x02", "-").split()))
    return found


def pixel(image: PageImage, x: int, y: int) -> tuple[int, ...]:
    """A pixel of a PNG without filters."""
    at = image.png.index(b"IDAT")
    size = int.from_bytes(image.png[at - 4 : at])
    rows = zlib.decompress(image.png[at + 4 : at + 4 + size])
    start = y * (3 * image.width + 1) + 1 + 3 * x
    return tuple(rows[start : start + 3])


def test_each_line_of_a_quote_has_a_box_that_holds_its_words(built: tuple[Index, Path]) -> None:
    index, path = built
    citation = citation_of(index, "It was never wound", "great flood.")
    [image] = index.page_images(citation)
    assert image.page == 1
    assert words_in(path, image, image.boxes) == [
        "It was never wound again after the",
        "great flood.",
    ]


def test_a_word_that_a_line_breaks_is_marked_on_both_lines(built: tuple[Index, Path]) -> None:
    index, path = built
    citation = citation_of(index, "international", "fame")
    [image] = index.page_images(citation)
    assert words_in(path, image, image.boxes) == ["inter-", "national fame"]


def test_a_quote_goes_on_in_the_next_column_and_on_the_next_page(
    built: tuple[Index, Path],
) -> None:
    index, path = built
    citation = citation_of(index, "may hear it strike", "every hour")
    [image] = index.page_images(citation)
    assert words_in(path, image, image.boxes) == ["may hear it strike", "every hour"]
    citation = citation_of(index, "It is shown once", "how it was found.")
    first, second = index.page_images(citation)
    assert (first.page, second.page) == (1, 2)
    assert words_in(path, first, first.boxes) == ["It is shown once a year", RIGHT[5]]
    assert words_in(path, second, second.boxes) == [NEXT[0]]


def test_the_boxes_are_filled_and_highlights_more_strongly(built: tuple[Index, Path]) -> None:
    index, _ = built
    citation = citation_of(index, "The clock in the hall", "great flood.")
    strong = citation_of(index, "It was never wound", "great flood.")
    [image] = index.page_images(citation, highlights=[strong.span], scale=3)
    assert (image.width, image.height) == (1800, 2400)
    box, highlight = image.boxes[0], image.highlights[0]
    colours = {pixel(image, one.left + 1, one.top + 1) for one in (box, highlight)}
    assert colours == {(255, 244, 176), (255, 199, 44)}
    assert pixel(image, 5, 5) == (255, 255, 255)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_pages_that_are_turned_are_marked_where_the_words_are(
    tmp_path: Path, tiny: Encoder, turn: int
) -> None:
    path = tmp_path / "turned.pdf"
    path.write_bytes(columns().replace(b"/MediaBox", b"/Rotate %03d /MediaBox" % turn))
    index = Index.build(path, tmp_path / "index", encoder=tiny)
    citation = citation_of(index, "It was never wound", "great flood.")
    [image] = index.page_images(citation)
    sizes = (1600, 1200) if turn != 180 else (1200, 1600)
    assert (image.width, image.height) == sizes
    for left, top, right, bottom in image.boxes:
        assert pixel(image, left + 1, top + 1) != (255, 255, 255)
        assert 0 <= left < right <= image.width
        assert 0 <= top < bottom <= image.height


def test_ligatures_are_marked_as_the_letters_that_they_are(tmp_path: Path, tiny: Encoder) -> None:
    path = tmp_path / "office.pdf"
    path.write_bytes(with_ligatures("The o", "ce is on the first floor."))
    index = Index.build(path, encoder=tiny)
    [document] = index.documents
    assert document.text == "The office is on the first floor."
    [image] = index.page_images(document.cite(Span(4, 10)))
    [box] = image.boxes
    assert words_in(path, image, (box,)) == ["office"]


def with_ligatures(before: str, after: str) -> bytes:
    """One line with the ligature "ffi", which the font maps to its character."""
    data = pdf([[(50, 700, 10, "F1", f"{before}\x80{after}")]])
    return data.replace(
        b"/Encoding /WinAnsiEncoding",
        b"/Encoding << /Type /Encoding /BaseEncoding /WinAnsiEncoding /Differences [128 /ffi] >>",
    )


def test_a_file_that_changed_or_is_missing_is_an_error_that_says_so(
    built: tuple[Index, Path],
) -> None:
    index, path = built
    citation = citation_of(index, "It was never wound", "great flood.")
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(IndexStaleError, match="has changed since it was indexed"):
        index.page_images(citation)
    path.unlink()
    with pytest.raises(IndexStaleError, match="does not exist"):
        index.page_images(citation)


def test_what_is_no_pdf_has_no_pages(tmp_path: Path, tiny: Encoder) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Plain text.")
    index = Index.build(path, encoder=tiny)
    with pytest.raises(InputError, match="expected a PDF"):
        index.page_images(index.documents[0].cite(Span(0, 5)))


def test_a_quote_that_does_not_hold_and_a_scale_that_cannot_be_are_refused(
    built: tuple[Index, Path],
) -> None:
    index, _ = built
    wrong = Citation("clocks", "Clocks", (), 0, 5, "wrong")
    with pytest.raises(InputError):
        index.page_images(wrong)
    right = citation_of(index, "It was never wound", "great flood.")
    with pytest.raises(InputError, match="scale is 0"):
        index.page_images(right, scale=0)


def test_show_writes_a_picture_of_each_page(built: tuple[Index, Path], tmp_path: Path) -> None:
    index, _ = built
    citation = citation_of(index, "It is shown once", "how it was found.")
    out = tmp_path / "page.png"
    done = subprocess.run(
        [
            sys.executable, "-m", "ragkit", "show", citation.passage_id, "--index",
            str(tmp_path / "index"), "--image", str(out),
        ],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert citation.quote in done.stdout
    assert out.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert (tmp_path / "page-p2.png").is_file()


def test_a_picture_can_be_opened_by_another_program(built: tuple[Index, Path]) -> None:
    pillow = pytest.importorskip("PIL.Image")
    index, _ = built
    [image] = index.page_images(citation_of(index, "It was never wound", "great flood."))
    picture = pillow.open(io.BytesIO(image.png))
    assert picture.size == (image.width, image.height)
    assert picture.convert("RGB").getpixel((5, 5)) == (255, 255, 255)
