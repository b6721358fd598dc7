"""A small index in four languages, asked in the others.

    python -m benchmarks.four_languages MODEL

Each document is in one language, and each of its facts is asked for in all four. The table has the
questions whose passage comes first, by the languages of the question and of the document.
"""

from __future__ import annotations

import argparse
from typing import Final

from ragkit import Document, Index, load_encoder

DOCUMENTS: Final = (
    Document(
        "library",
        "Stadtbibliothek",
        "Die Bibliothek öffnet um neun Uhr und schließt am 24. Dezember schon um zwölf.\n\n"
        "Die Ausleihfrist beträgt vier Wochen. Sie kann zweimal verlängert werden.",
        language="de",
    ),
    Document(
        "bakery",
        "Panadería Sol",
        "La Sra. Ruiz fundó la panadería en 1931 con dos hornos de leña.\n\n"
        "El pan de centeno se hornea los jueves y cuesta tres euros.",
        language="es",
    ),
    Document(
        "bridge",
        "青江大桥",
        "青江大桥由工程师周海设计，全长六百二十米。\n\n大桥每年三月关闭三天，进行检修。",
        language="zh",
    ),
    Document(
        "museum",
        "متحف الواحة",
        "يعرض المتحف أربعين آلة موسيقية قديمة جُمعت من القرى المجاورة.\n\n"
        "الدخول مجاني للطلاب، ويدفع غيرهم خمسة دنانير.",
        language="ar",
    ),
)
QUESTIONS: Final = {
    "Wie lange darf man ein Buch behalten?": {
        "es": "¿Cuánto tiempo se puede tener prestado un libro?",
        "zh": "书可以借多长时间？",
        "ar": "كم المدة المسموح بها لاستعارة كتاب؟",
    },
    "¿Quién fundó la panadería?": {
        "de": "Wer hat die Bäckerei gegründet?",
        "zh": "面包店是谁创办的？",
        "ar": "من أسس المخبز؟",
    },
    "¿Qué día se hornea el pan de centeno?": {
        "de": "An welchem Tag wird Roggenbrot gebacken?",
        "zh": "哪一天烤黑麦面包？",
        "ar": "في أي يوم يُخبز خبز الجاودار؟",
    },
    "大桥是谁设计的？": {
        "de": "Wer hat die Brücke entworfen?",
        "es": "¿Quién diseñó el puente?",
        "ar": "من صمّم الجسر؟",
    },
    "大桥什么时候关闭检修？": {
        "de": "Wann ist die Brücke für die Wartung gesperrt?",
        "es": "¿Cuándo se cierra el puente por mantenimiento?",
        "ar": "متى يُغلق الجسر للصيانة؟",
    },
    "كم آلة موسيقية في المتحف؟": {
        "de": "Wie viele Musikinstrumente zeigt das Museum?",
        "es": "¿Cuántos instrumentos musicales hay en el museo?",
        "zh": "博物馆展出多少件乐器？",
    },
    "هل يدفع الطلاب ثمن الدخول؟": {
        "de": "Müssen Studenten Eintritt bezahlen?",
        "es": "¿Pagan entrada los estudiantes?",
        "zh": "学生要买门票吗？",
    },
    "Wann schließt die Bibliothek am 24. Dezember?": {
        "es": "¿A qué hora cierra la biblioteca el 24 de diciembre?",
        "zh": "图书馆十二月二十四日几点关门？",
        "ar": "متى تغلق المكتبة في 24 ديسمبر؟",
    },
}
"""A question in the language of its document → the same one in the others."""

ANSWERS: Final = (
    "vier Wochen", "Ruiz", "jueves", "周海", "三月", "أربعين", "مجاني", "zwölf",
)  # fmt: skip
"""What the passage that answers each question has."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="as `ragkit index build --encoder` takes it")
    index = Index.build(DOCUMENTS, encoder=load_encoder(parser.parse_args().model))
    found: dict[tuple[str, str], list[bool]] = {}
    for (own, others), answer in zip(QUESTIONS.items(), ANSWERS, strict=True):
        [language] = {d.language for d in DOCUMENTS if answer in d.text}
        for asked, question in {str(language): own, **others}.items():
            first = index.ask(question).passages[0]
            is_found = answer in first.text
            found.setdefault((asked, str(language)), []).append(is_found)
            if not is_found:
                print(f"missed: {question} → {first.text}")
    languages = [str(document.language) for document in DOCUMENTS]
    print(f"\n| asked in | {' | '.join(languages)} |\n|---|{'---:|' * len(languages)}")
    for asked in languages:
        cells = [f"{sum(own)}/{len(own)}" for own in (found[asked, one] for one in languages)]
        print(f"| {asked} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
