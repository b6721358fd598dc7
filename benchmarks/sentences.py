"""Where sentences end, in many languages: ragkit beside nupunkt alone, sentencex and ICU.

    pip install sentencex icu4py
    python -m benchmarks.sentences --save

Each case is a list of sentences, joined as its script joins them; it is passed if exactly these
come out, trimmed. Libraries that are not installed are left out. ``--save`` writes
``benchmarks/results/sentences.md``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from ragkit.text.sentences import split_sentences
from ragkit.text.spans import Span, trim

OUT: Final = Path(__file__).parent / "results" / "sentences.md"
UNSPACED: Final = ("zh", "ja")
LONG: Final = 100_000
"""Characters of the text that is timed, an article's sentence again and again."""

Split = Callable[[str, str], list[str]]


class Case(NamedTuple):
    """Sentences that follow each other in one paragraph."""

    kind: str
    language: str
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        """The paragraph."""
        return ("" if self.language in UNSPACED else " ").join(self.sentences)


def cases() -> list[Case]:
    """Return all cases, in the order of ``CASES``."""
    return [
        Case(kind, language, tuple(line.strip().split(" | ")))
        for kind, own in CASES.items()
        for language, lines in own.items()
        for line in lines.strip().splitlines()
    ]


CASES: Final[Mapping[str, Mapping[str, str]]] = {
    "ordinals and dates": {
        "de": """
            Der Vertrag wurde am 16. März 1922 unterzeichnet. | Er galt bis 1941.
            Der 2. Weltkrieg endete 1945. | Danach kam der Frieden.
            Am 3. 10. 1990 trat der Vertrag in Kraft. | Seither gilt er.
            Er wohnt im 4. Stock. | Der Aufzug ist defekt.
            Im 19. Jahrhundert wuchs die Stadt. | Sie hatte zwei Tore.
            Papst Johannes Paul II. besuchte Köln. | Viele kamen.
            Friedrich II. war König. | Er starb 1786.
            Der Krieg dauerte bis 1918. | Im Jahr darauf kam der Vertrag.
            Es waren 16. | Niemand fehlte.""",
        "da": """
            Traktaten blev underskrevet den 16. marts 1922. | Den gjaldt til 1941.""",
        "cs": """
            Smlouva byla podepsána 16. března 1922. | Platila do roku 1941.""",
        "tr": """
            Antlaşma 16. yüzyılda imzalandı. | Daha sonra bozuldu.""",
        "fi": """
            Sopimus allekirjoitettiin 16. maaliskuuta 1922. | Se oli voimassa pitkään.""",
    },
    "abbreviations": {
        "de": """
            Das gilt z. B. für Hunde. | Katzen sind frei.
            Das gilt z.B. für Hunde. | Katzen sind frei.
            Es kamen u.a. Herr Müller und Frau Dr. Schmidt. | Sie blieben lange.
            Es kamen u. a. Minister und Botschafter. | Sie blieben.
            Siehe S. 12 und Abs. 3. | Dort steht alles.
            Siehe Tab. 3 und Abb. 4. | Dort stehen die Zahlen.
            Die Miete beträgt ca. 500 Euro inkl. Heizung. | Strom ist extra.
            St. Pauli liegt in Hamburg. | Es ist laut.
            Laut § 5 Abs. 2 Nr. 3 BGB ist das erlaubt. | Sonst nicht.
            Die Fa. Meier liefert d. h. sie bringt Möbel. | Das dauert.
            Hunde, Katzen usw. sind verboten. | Fische sind erlaubt.
            Das Büro in der Hauptstr. 12 ist zu. | Es öffnet morgen.
            Er kam im Jan. 2020 an. | Sie kam im Mai.
            Er lebte um 300 v. Chr. in Athen. | Dann zog er um.""",
        "es": """
            El Sr. García firmó el tratado. | La Sra. Ruiz no lo firmó.
            Véase la pág. 12 del libro. | Allí está todo.
            EE. UU. ganó la guerra. | España perdió.
            Vive en la Av. Bolívar con D. Juan. | Es feliz.
            Los Dres. Pérez y Gómez hablaron. | Nadie escuchó.
            Nació en el s. XIX en Madrid. | Murió joven.
            Hay perros, gatos, etc. en la casa. | Son muchos.""",
        "fr": """
            Mme. Curie est née à Varsovie. | Elle a vécu à Paris.
            M. Dupont est arrivé. | Il est reparti.
            Voir p. 12 et fig. 3 du livre. | Tout y est.
            L'article dit, p. ex. que tout est permis. | C'est faux.
            Il est né en 300 av. J.-C. à Rome. | Il y est mort.
            Les Drs. Martin et Petit sont là. | Ils attendent.
            L'art. 5 et l'al. 2 sont clairs. | Le reste non.""",
        "ru": """
            Он жил на ул. Ленина в Москве. | Потом он уехал.
            Он родился в г. Москве в 1870 г. в семье врача. | Потом он уехал.
            Население составляет 5 тыс. человек. | Площадь мала.
            Это стоит 300 руб. в месяц. | Это дорого.
            Книги, журналы и т. д. лежат здесь. | Газеты там.
            Книги, журналы и т.д. лежат здесь. | Газеты там.
            Писатель А. С. Пушкин родился в Москве. | Он умер в Петербурге.
            См. рис. 3 на стр. 12. | Там всё есть.
            В XIX в. город вырос. | Там жили купцы.
            Это было в 300 г. до н. э. в Риме. | Потом всё изменилось.""",
        "it": """
            Il sig. Rossi ha firmato il trattato. | La sig.ra Bianchi no.
            Vedi pag. 12 e art. 3 della legge. | Tutto è chiaro.
            Il dott. Verdi è arrivato. | Poi è andato via.""",
        "pt": """
            O Sr. Silva assinou o tratado. | A Sra. Costa não assinou.
            Veja a pág. 12 do livro. | Tudo está lá.
            O Dr. Souza mora na Av. Paulista. | Ele é médico.""",
        "nl": """
            Dhr. Jansen tekende het verdrag. | Mevr. de Vries niet.
            Dat geldt bijv. voor honden. | Katten zijn vrij.
            Dat geldt o.a. voor honden. | Katten zijn vrij.""",
        "pl": """
            Ul. Długa nr 5 jest zamknięta. | To jest koniec.
            Prof. Kowalski urodził się w 1920 r. w Warszawie. | Potem wyjechał.""",
        "en": """
            Mr. Smith met Dr. Jones at 5 p.m. on Monday. | They talked.
            See Fig. 3 and Tab. 4 on p. 12. | It is all there.
            The U.S. Senate approved it. | It was signed in St. Louis.
            He lives at 5 Main St. in Boston. | She does not.""",
    },
    "ends of other scripts": {
        "zh": """
            条约于1922年签署。 | 谁签的？ | 完！
            版本是３．５。 | 已经发布。""",
        "ja": """
            条約は1922年に調印された。 | 誰が署名したのか？ | 終わり。
            そうだ｡ | 違う｡""",
        "ar": """
            وُقّعت المعاهدة عام 1922. | من وقّعها؟ | وقّعها الوزيران.
            قال د. أحمد إنه سيحضر. | ثم غادر.""",
        "ur": "معاہدے پر دستخط ہوئے۔ | یہ اپریل تھا۔",
        "fa": "این پیمان در سال ۱۹۲۲ امضا شد. | چه کسی امضا کرد؟ | پایان.",
        "hi": """
            संधि पर 1922 में हस्ताक्षर हुए। | किसने हस्ताक्षर किए? | दो मंत्रियों ने।
            डॉ. शर्मा दिल्ली में रहते हैं। | वे लेखक हैं।""",
        "hy": "Պայմանագիրը ստորագրվեց։ | Դա 1922 թվականն էր։",
        "el": "Ποιος υπέγραψε; | Ο δρ. Παπαδόπουλος υπέγραψε τη συνθήκη. | Τέλος.",
        "my": "စာချုပ်ကို လက်မှတ်ထိုးခဲ့သည်။ | ဧပြီလတွင်ဖြစ်သည်။",
        "am": "ስምምነቱ ተፈረመ። | ሚያዝያ ነበር።",
        "km": "សន្ធិសញ្ញាត្រូវបានចុះហត្ថលេខា។ | វាគឺខែមេសា។",
    },
    "closing quotes": {
        "en": """
            He said, "It is over." | Then he left.
            “It is over.” | She left (at noon.) | The end.""",
        "de": """
            Er sagte: „Es ist vorbei.“ | Dann ging er.
            »Es ist vorbei.« | Dann ging er.""",
        "fr": "Il a dit : « C'est fini. » | Puis il est parti.",
        "zh": "他说：“是我。” | 然后他走了。",
        "ja": """
            「私だ。」と彼は言った。 | 彼は去った。
            彼は「終わりだ。」 | そして去った。""",
        "ru": "Он сказал: «Всё кончено.» | Потом он ушёл.",
    },
    "reference marks": {
        "en": """
            The war ended.[3] | The next one began.
            The war ended.[3][4] | The next one began.
            It rained.[note 1] | It snowed.[citation needed] | It hailed.
            The war ended.³ | The next one began.""",
        "de": "Der Krieg endete.[3] | Der nächste begann.",
        "zh": "两国恢复了外交关系。[3] | 战争结束了。",
    },
    "written after all rules": {
        "de": """
            Am 1. Mai ist geschlossen. | Am 2. Mai öffnen wir wieder.
            Der Mietvertrag läuft bis zum 31. Dezember. | Danach verlängert er sich.
            Bitte bis Do., 12. Juni, bei Frau Prof. Dr. Weiß melden. | Sonst verfällt es.
            Vgl. hierzu auch Kap. 4 bzw. Anh. B. | Mehr steht dort nicht.
            Die 3. Mannschaft stieg ab. | Trainer ist K. H. Becker.
            Kinder (bis 6 J.) zahlen nichts. | Erwachsene zahlen 4 Euro.
            Die Kündigungsfrist beträgt 3 Monate lt. § 573c Abs. 1 BGB. | Ausnahmen fehlen.""",
        "es": """
            El art. 14 dice que todos son iguales. | Nadie lo discute.
            La Dra. Gil vive en la c. Mayor n.º 5. | No recibe visitas.
            Salimos a las 9 a. m. y volvimos a las 5 p. m. | Fue un buen día.""",
        "fr": """
            Le prof. Girard habite au 5 av. Foch. | Il enseigne le droit.
            Cf. chap. 3, p. 45 et suiv. | Le reste manque.
            Selon Mlle Petit et le Dr. Roux, c'est vrai. | Nous verrons.""",
        "ru": """
            Родился 5 мая 1890 г. в дер. Ивановка. | Учился в Казани.
            По данным на 2010 г., население — 12 млн. человек. | Площадь — 3 тыс. кв. км.
            Ср. табл. 5 и прил. Б. | Дальше текста нет.""",
        "it": "L'avv. Neri abita in p.zza Dante n. 5. | Riceve il lunedì.",
        "pt": "A Profa. Lima nasceu em 5 de maio. | O pai era o Sr. Lima.",
        "nl": "Zie blz. 12 t/m 14, fig. 3. | Daar staat het.",
        "pl": "Spotkanie o godz. 15 przy ul. Polnej. | Zapraszamy.",
        "ja": "「もう終わりだ！」 | 彼女は言った。 | それは３．５倍だった。",
        "zh": "他问：“你是谁？” | 我没有回答。 | 气温是3.5度。",
        "ar": "صدر القرار رقم 5 في 3 مايو. | هل نُفّذ؟ | لم يُنفّذ بعد.",
    },
}


def ragkit(text: str, _language: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text, Span(0, len(text)))]


def nupunkt(text: str, _language: str) -> list[str]:
    from nupunkt import sent_spans

    return _trimmed(text, sent_spans(text))


def sentencex(text: str, language: str) -> list[str]:
    from sentencex import segment

    return [one.strip() for one in segment(language, text) if one.strip()]


def icu(text: str, language: str) -> list[str]:
    from icu4py.breakers import SentenceBreaker

    return [one.strip() for one in SentenceBreaker(text, language) if one.strip()]


def _trimmed(text: str, spans: object) -> list[str]:
    found = [trim(text, Span(*span)) for span in spans]  # type: ignore[attr-defined]
    return [text[span.start : span.end] for span in found if span]


SPLITTERS: Final[Mapping[str, tuple[str, Split]]] = {
    "ragkit": ("nupunkt", ragkit),
    "nupunkt": ("nupunkt", nupunkt),
    "sentencex": ("sentencex", sentencex),
    "ICU": ("icu4py", icu),
}
"""Name → the package that it needs, and the function."""


def seconds(split: Split) -> float:
    """Return the best of three processor times for a text of ``LONG`` characters."""
    sentence = "Der Vertrag wurde am 16. März 1922 in Rapallo unterzeichnet. "
    text = sentence * (LONG // len(sentence))

    def once() -> float:
        begun = time.process_time()
        split(text, "de")
        return time.process_time() - begun

    return min(once() for _ in range(3))


def page(splitters: Mapping[str, tuple[str, Split]]) -> Iterator[str]:
    """Yield the lines of the page."""
    every = cases()
    yield "# Where sentences end\n"
    yield "Made by `python -m benchmarks.sentences`: paragraphs that come out as exactly their"
    yield f"sentences, and processor time for a German text of {LONG:,} characters.\n"
    yield f"| | number | {' | '.join(splitters)} |"
    yield "|---|" + "---:|" * (len(splitters) + 1)
    for kind in CASES:
        own = [case for case in every if case.kind == kind]
        yield _row(kind, len(own), [_passed(own, split) for _, split in splitters.values()])
    totals = [_passed(every, split) for _, split in splitters.values()]
    yield _row("all", len(every), totals)
    times = [f"{1000 * seconds(split):.0f} ms" for _, split in splitters.values()]
    yield f"| time | | {' | '.join(times)} |\n"
    packages = dict.fromkeys(package for package, _ in splitters.values())
    yield ", ".join(f"{package} {version(package)}" for package in packages) + ". sentencex and"
    yield "ICU are told the language; ragkit tells it itself.\n"
    missed = [c for c in every if ragkit(c.text, c.language) != list(c.sentences)]
    if missed:
        yield "What ragkit misses:\n"
        yield from (f"- {case.language}: {' | '.join(case.sentences)}" for case in missed)


def _passed(own: list[Case], split: Split) -> int:
    return sum(split(case.text, case.language) == list(case.sentences) for case in own)


def _row(name: str, number: int, values: list[int]) -> str:
    return f"| {name} | {number} | {' | '.join(map(str, values))} |"


def main() -> None:
    """Print the page, or save it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", action="store_true", help="write results/sentences.md")
    save = parser.parse_args().save
    installed = {
        name: own for name, own in SPLITTERS.items() if find_spec(own[0].replace("-", "_"))
    }
    made = "\n".join(page(installed)) + "\n"
    partial(OUT.write_text, encoding="utf-8")(made) if save else print(made)


if __name__ == "__main__":
    main()
