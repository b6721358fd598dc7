"""Writes PDFs for the tests: texts at their places, pages, an outline."""

from __future__ import annotations

from collections.abc import Sequence

Placed = tuple[float, float, float, str, str]
"""Left, baseline, size, font ("F1" regular or "F2" bold), text."""


def pdf(pages: Sequence[Sequence[Placed] | bytes], *, outline: Sequence[tuple[str, int]] = (), title: str = "") -> bytes:  # fmt: skip
    """Pages of texts at their places, or of content as it is; entries of the outline with pages."""
    fonts = ("Helvetica", "Helvetica-Bold")
    objects = [
        f"<< /Type /Font /Subtype /Type1 /BaseFont /{font} /Encoding /WinAnsiEncoding >>".encode()
        for font in fonts
    ]
    kids = []
    for page in pages:
        content, how = (page, b"/Filter /FlateDecode ") if isinstance(page, bytes) else (drawn(page), b"")  # fmt: skip
        objects.append(b"<< /Length %d %s>>\nstream\n%s\nendstream" % (len(content), how, content))
        objects.append(
            b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 600 800] /Contents %d 0 R /Resources "
            b"<< /Font << /F1 1 0 R /F2 2 0 R >> >> >>" % (3 + 2 * len(pages), len(objects))
        )
        kids.append(len(objects))
    objects.append(b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(b"%d 0 R" % kid for kid in kids), len(kids)))  # fmt: skip
    root = len(objects) + 1
    first = root + 3
    objects.append(b"<< /Type /Catalog /Pages %d 0 R /Outlines %d 0 R >>" % (root - 1, root + 1))
    objects.append(b"<< /First %d 0 R /Last %d 0 R >>" % (first, first + len(outline) - 1) if outline else b"<< >>")  # fmt: skip
    objects.append(b"<< /Title (%s) >>" % title.encode("latin-1"))
    for number, (name, page_number) in enumerate(outline):
        after = b"/Next %d 0 R" % (first + number + 1) if number + 1 < len(outline) else b""
        objects.append(
            b"<< /Title <feff%s> /Parent %d 0 R /Dest [%d 0 R /Fit] %s >>"
            % (name.encode("utf-16-be").hex().encode(), root + 1, kids[page_number], after)
        )
    return file_of(objects, root)


def file_of(objects: Sequence[bytes], root: int) -> bytes:
    data, starts = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        starts.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % start for start in starts)
    return data + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root %d 0 R /Info %d 0 R >>\n"
        b"startxref\n%d\n%%%%EOF"
        % (len(objects) + 1, table, len(objects) + 1, root, root + 2, len(data))
    )


def drawn(page: Sequence[Placed]) -> bytes:
    return b"".join(
        b"BT /%s %g Tf %g %g Td (%s) Tj ET\n"
        % (font.encode(), size, left, baseline, text.encode("latin-1").replace(b"(", b"\\("))
        for left, baseline, size, font, text in page
    )


def text_lines(*texts: str, top: float = 700, left: float = 50, size: float = 10) -> list[Placed]:
    """Lines of running text, from the top down."""
    return [(left, top - 13 * number, size, "F1", text) for number, text in enumerate(texts)]
