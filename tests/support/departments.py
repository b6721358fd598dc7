"""A table of 30 departments in every format, and a question about each of its rows."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable

from support.pdf_files import Placed, pdf

Row = tuple[str, ...]

NAMES = ("Department", "Head", "Phone", "Room", "Opening hours")
ROWS = (
    ("Cardiology", "Dr. Amelia Hart", "555-0141", "B 204", "Mon–Fri 8:00–16:00"),
    ("Radiology", "Dr. Tomas Novak", "555-0178", "A 012", "Mon–Sat 7:00–19:00"),
    ("Neurology", "Prof. Ines Duarte", "555-0123", "C 310", "Tue–Fri 9:00–15:00"),
    ("Paediatrics", "Dr. Samuel Okafor", "555-0190", "D 101", "Mon–Fri 8:30–17:30"),
    ("Dermatology", "Dr. Greta Lindqvist", "555-0165", "B 118", "Mon–Thu 10:00–14:00"),
    ("Oncology", "Prof. Hiro Tanaka", "555-0102", "E 405", "Mon–Fri 8:00–18:00"),
    ("Orthopaedics", "Dr. Paul Mercer", "555-0137", "A 220", "Mon–Fri 7:30–15:30"),
    ("Ophthalmology", "Dr. Leila Haddad", "555-0184", "C 115", "Wed–Fri 9:00–13:00"),
    ("Psychiatry", "Dr. Nora Feldman", "555-0159", "F 007", "Mon–Fri 10:00–18:00"),
    ("Urology", "Dr. Viktor Petrov", "555-0116", "B 330", "Mon–Wed 8:00–12:00"),
    ("Nephrology", "Dr. Chiara Bianchi", "555-0171", "E 210", "daily 6:00–22:00"),
    ("Haematology", "Prof. Anders Berg", "555-0148", "D 312", "Tue–Thu 8:00–16:00"),
    ("Endocrinology", "Dr. Ruth Mbeki", "555-0105", "C 208", "Mon–Fri 9:00–17:00"),
    ("Gastroenterology", "Dr. Diego Ramos", "555-0132", "A 315", "Mon–Fri 8:00–14:00"),
    ("Pneumology", "Dr. Yusuf Kaya", "555-0193", "F 120", "Mon, Wed 8:00–15:00"),
    ("Gynaecology", "Dr. Helene Roux", "555-0126", "D 225", "Mon–Fri 7:00–16:00"),
    ("Anaesthesia", "Prof. Colin Drake", "555-0187", "A 101", "always open"),
    ("Rheumatology", "Dr. Maja Kovac", "555-0154", "E 118", "Thu 9:00–18:00"),
    ("Geriatrics", "Dr. Oscar Lund", "555-0111", "G 002", "Mon–Sun 9:00–20:00"),
    ("Physiotherapy", "Ms. Fiona Blake", "555-0169", "G 014", "Mon–Sat 8:00–20:00"),
    ("Pharmacy", "Mr. Kwame Asante", "555-0100", "A 001", "Mon–Fri 8:00–21:00"),
    ("Laboratory", "Dr. Elena Sokolova", "555-0143", "B 011", "daily 5:00–23:00"),
    ("Blood bank", "Dr. Jonas Weiss", "555-0176", "B 015", "Tue, Fri 12:00–18:00"),
    ("Nutrition", "Ms. Carmen Vega", "555-0108", "G 109", "Mon, Tue 9:00–12:00"),
    ("Social services", "Mr. Peter Quinn", "555-0135", "F 203", "Mon–Fri 9:00–16:30"),
    ("Patient records", "Ms. Akiko Mori", "555-0198", "A 030", "Mon–Fri 8:00–12:30"),
    ("Billing", "Mr. Liam Doyle", "555-0121", "A 033", "Mon–Thu 9:00–15:30"),
    ("Chaplaincy", "Rev. Sofia Brandt", "555-0182", "G 201", "Sun 8:00–13:00"),
    ("Emergency", "Dr. Marcus Cole", "555-0199", "A 000", "round the clock"),
    ("Outpatient surgery", "Dr. Beatriz Lima", "555-0157", "D 410", "Mon–Fri 6:30–14:30"),
)
_QUESTIONS = (
    "What is the phone number of {}?",
    "Which room is {} in?",
    "Who is the head of {}?",
    "When is {} open?",
    "Who runs {}?",
)
QUESTIONS = tuple(
    (_QUESTIONS[number % len(_QUESTIONS)].format(row[0]), row) for number, row in enumerate(ROWS)
)
TITLE, INTRODUCTION = "Hospital directory", "All departments of the hospital:"


def markdown() -> bytes:
    lines = [f"| {' | '.join(row)} |" for row in (NAMES, ("---",) * len(NAMES), *ROWS)]
    return f"# {TITLE}\n\n{INTRODUCTION}\n\n{chr(10).join(lines)}\n".encode()


def html() -> bytes:
    def line(row: Row, tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{cell}</{tag}>' for cell in row)}</tr>"

    rows = "".join([line(NAMES, "th"), *[line(row, "td") for row in ROWS]])
    return f"<h1>{TITLE}</h1><p>{INTRODUCTION}</p><table>{rows}</table>".encode()


def wiki() -> bytes:
    rows = "".join(f"|-\n| {' || '.join(row)}\n" for row in ROWS)
    head = f"! {' !! '.join(NAMES)}\n"
    return f'{INTRODUCTION}\n\n{{| class="wikitable"\n{head}{rows}|}}\n'.encode()


def tabs() -> bytes:
    lines = ["\t".join(row) for row in (NAMES, *ROWS)]
    return f"{INTRODUCTION}\n\n{chr(10).join(lines)}\n".encode()


def separated(separator: str = ",") -> bytes:
    written = io.StringIO()
    csv.writer(written, delimiter=separator).writerows([NAMES, *ROWS])
    return written.getvalue().encode()


def docx() -> bytes:
    """A document whose table repeats its first row on each page, as Word marks it."""
    main = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    office = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    related = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"

    def paragraph(text: str) -> str:
        return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"

    def line(row: Row, properties: str = "") -> str:
        cells = "".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row)
        return f"<w:tr>{properties}{cells}</w:tr>"

    head = line(NAMES, "<w:trPr><w:tblHeader/></w:trPr>")
    table = f"<w:tbl>{head}{''.join(map(line, ROWS))}</w:tbl>"
    body = paragraph(INTRODUCTION) + table + paragraph("Ask at the desk.")
    done = io.BytesIO()
    with zipfile.ZipFile(done, "w") as archive:
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="{office}.document.main+xml"/></Types>')  # fmt: skip
        archive.writestr("_rels/.rels", f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" Type="{related}/officeDocument" Target="word/document.xml"/></Relationships>')  # fmt: skip
        archive.writestr("word/document.xml", f"<w:document {main}><w:body>{body}</w:body></w:document>")  # fmt: skip
    return done.getvalue()


def pdf_table() -> bytes:
    """Two pages; each cell is drawn on its own, at the left of its column."""
    lefts = (40.0, 150.0, 280.0, 350.0, 410.0)
    page: list[Placed] = [(40, 760, 18, "F2", TITLE), (40, 730, 10, "F1", INTRODUCTION)]
    page += [(left, 700, 10, "F2", name) for left, name in zip(lefts, NAMES, strict=True)]
    pages: list[list[Placed]] = [page, []]
    for number, row in enumerate(ROWS):
        height = 680 - 24 * (number % 20)
        # The fonts of the tests have no dash of this kind in ISO 8859-1.
        cells = [cell.replace("–", "-") for cell in row]
        pages[number // 20] += [(x, height, 10, "F1", c) for x, c in zip(lefts, cells, strict=True)]
    return pdf(pages)


FILES: dict[str, Callable[[], bytes]] = {
    "directory.md": markdown,
    "directory.html": html,
    "directory.wiki": wiki,
    "directory.docx": docx,
    "directory.txt": tabs,
    "directory.csv": separated,
    "directory.tsv": lambda: separated("\t"),
    "directory.pdf": pdf_table,
}
