"""Every text in every language: one segment, tells nothing, no link, no digit of its own."""

import re

import pytest

from notifications.texts import catalogue, segments

VARIABLES = {"number": 999999, "time": "23:59:59", "days": 3, "phone": "+862583106666"}
TELLING = (
    "lupus", "sle", "car-t", "cart", "cell", "infusion", "fever", "temperature", "crs", "neuro", "hospital", "clinic",
    "trial", "daymark", "drug", "medicine", "nanjing", "patient", "subject", "blood", "kidney", "visit",
    "狼疮", "细胞", "回输", "发热", "发烧", "体温", "试验", "研究", "医院", "药", "患者", "受试者", "血", "肾", "随访",
)  # fmt: skip
CASES = [(key, language) for key in catalogue.TEMPLATES for language in catalogue.LANGUAGES]


@pytest.mark.parametrize(("key", "language"), CASES)
def test_a_text_fits_one_segment(key: str, language: str) -> None:
    assert segments.count(catalogue.render(key, language, VARIABLES)) == 1


@pytest.mark.parametrize(("key", "language"), CASES)
def test_a_text_tells_nothing(key: str, language: str) -> None:
    text = catalogue.render(key, language, VARIABLES).lower()
    assert [word for word in TELLING if re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z])", text)] == []
    assert not re.search(r"://|www\.|\.\w{2,3}/|[a-z]\.(com|cn|org)\b", text)


@pytest.mark.parametrize(("key", "language"), CASES)
def test_digits_come_from_variables_alone(key: str, language: str) -> None:
    bare = catalogue.render(key, language, dict.fromkeys(VARIABLES, "x"))
    assert not re.search(r"\d", bare)
    assert set(re.findall(r"{(\w*)}", "".join(catalogue.TEMPLATES[key]))) <= set(VARIABLES)


@pytest.mark.parametrize("key", catalogue.TEMPLATES)
def test_both_languages_ask_for_the_same_variables(key: str) -> None:
    chinese, english = catalogue.TEMPLATES[key]
    assert set(re.findall(r"{\w+}", chinese)) == set(re.findall(r"{\w+}", english))


def test_english_stays_in_gsm() -> None:
    assert {segments.encoding(catalogue.render(key, "en", VARIABLES)) for key in catalogue.TEMPLATES} == {"GSM-7"}


def test_the_page_reads_as_agreed() -> None:
    said = catalogue.render("page", "en-GB", {"number": 4821, "time": "14:02"})
    assert said == "Page 4821 14:02. Open the app."
    assert catalogue.render("page", "zh-CN", {"number": 4821, "time": "14:02"}) == "呼叫 4821，14:02。请打开应用。"


@pytest.mark.parametrize(("key", "given"), [("no_such", {}), ("visit_soon", {})])
def test_what_cannot_be_said_is_refused(key: str, given: dict[str, int]) -> None:
    with pytest.raises(catalogue.UnknownText):
        catalogue.render(key, "en", given)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("a" * 158 + "€", 1),  # an extended character counts double
        ("a" * 159 + "€", 2),
        ("中" * 70, 1),
        ("中" * 71, 2),
        ("中" * 134, 2),
        ("中" * 135, 3),
        ("😀" * 35, 1),  # two UTF-16 units each
        ("😀" * 36, 2),
        ("a" * 70 + "`", 2),  # one character outside GSM-7 makes all of it UCS-2
    ],
)
def test_segments(text: str, count: int) -> None:
    assert segments.count(text) == count
