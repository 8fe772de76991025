"""Every text and every sentence of a call, in every language, as long as it can get: it tells nothing and fits.

One segment each, in GSM-7 (160 septets) or UCS-2 (70 units); a carrier in mainland China puts the hospital's approved
signature, as "【某某大学附属医院】", before it, and with that a text may take two.
"""

import re
from itertools import product
from string import Formatter
from typing import Any

import pytest

from notifications import ladder
from notifications.gateways.base import Outgoing
from notifications.texts import catalogue, segments

# As long as life makes them: seven digits of page numbers, a date of two and two, weeks ahead, a number with country.
LONGEST: dict[str, Any] = {"number": 9_999_999, "time": "23:59:59", "days": 28, "phone": "+8625831066669999"}
LONGEST_DAY = "2026-12-28"
SIGNATURE = "【南京大学医学院附属鼓楼医院】"
LANGUAGES = ("zh-CN", "en")
# Texts that begin with their date, by whoever posts them.
DATED = ("digest", "rota_gap", "diary_today", "visit_today", "visit_soon", "diary_and_visit_today",
         "diary_and_visit_soon", "nudge")  # fmt: skip

NAMES = ("daymark", "wang", "xiaoming", "li na", "nanjing", "shanghai", "drum tower", "小明", "南京", "鼓楼", "上海")
DISEASE = (
    "lupus", "sle", "nephritis", "autoimmune", "rheum", "disease", "illness", "symptom", "fever", "temperature",
    "chill",
    "infection", "crs", "icans", "cytokine", "neuro", "toxicity", "adverse", "emergency", "urgent", "dose", "blood",
    "kidney", "cancer", "tumour", "health", "sick",
    "狼疮", "肾炎", "免疫", "风湿", "疾病", "症状", "发热", "发烧", "体温", "寒战", "感染", "细胞因子", "神经", "毒性",
    "不良", "急诊", "紧急", "剂量", "血", "肾", "癌", "肿瘤", "健康", "病",
)  # fmt: skip
DRUG = (
    "car-t", "cart", "cd19", "cell", "infusion", "product", "drug", "medicine", "medication", "pill", "tablet",
    "tocilizumab", "steroid", "dexamethasone", "prednis", "paracetamol", "ibuprofen", "fludarabine",
    "细胞", "回输", "输注", "药", "激素", "片",
)  # fmt: skip
STUDY = (
    "trial", "clinical", "research", "protocol", "subject", "patient", "participant", "visit", "hospital", "clinic",
    "ward", "doctor", "nurse", "investigator", "nct",
    "试验", "临床", "研究", "方案", "受试者", "患者", "病人", "随访", "访视", "医院", "病房", "医生", "护士", "研究者",
)  # fmt: skip
# Not here: "study", as the reference itself has the reminder say "You have a task in your study diary".
FORBIDDEN = (*NAMES, *DISEASE, *DRUG, *STUDY)
LINK = re.compile(r"https?:|://|www\.|[a-z0-9-]\.(com|cn|org|net|app|io|health|example)\b|/\w|@", re.IGNORECASE)


def variables_of(key: str, pair: tuple[str, str]) -> dict[str, Any]:
    named = {name for _, name, _, _ in Formatter().parse(pair[0] + pair[1]) if name}
    return {name: LONGEST[name] for name in named} | ({"day": LONGEST_DAY} if key in DATED else {})


WRITTEN = [(key, language) for key, language in product(catalogue.TEMPLATES, LANGUAGES)]
HEARD = [(key, language) for key, language in product(catalogue.SPOKEN, LANGUAGES)]


def written(key: str, language: str) -> str:
    return catalogue.render(key, language, variables_of(key, catalogue.TEMPLATES[key]))


def heard(key: str | None, language: str) -> str:
    return catalogue.text_of(key or "page_everyone", language, LONGEST, spoken=True)


def telling(text: str) -> list[str]:
    """The forbidden words in it: English ones as words or their beginnings, Chinese ones anywhere."""
    lower = text.lower()
    return [word for word in FORBIDDEN if re.search(rf"(?<![a-z]){re.escape(word)}" if word.isascii() else word, lower)]


@pytest.mark.parametrize(("key", "language"), WRITTEN)
def test_a_text_tells_nothing(key: str, language: str) -> None:
    assert telling(written(key, language)) == []


@pytest.mark.parametrize(("key", "language"), WRITTEN)
def test_a_text_holds_no_link(key: str, language: str) -> None:
    assert LINK.search(written(key, language)) is None


@pytest.mark.parametrize(("key", "language"), WRITTEN)
def test_the_only_digits_are_number_time_date_days_and_the_telephone(key: str, language: str) -> None:
    """No value can hide: what is a digit came from one of five variables."""
    pair = catalogue.TEMPLATES[key]
    assert not re.search(r"\d", re.sub(r"{\w+}", "", "".join(pair)))
    assert variables_of(key, pair).keys() <= {"number", "time", "days", "phone", "day"}


@pytest.mark.parametrize(("key", "language"), WRITTEN)
def test_a_text_fits_one_segment(key: str, language: str) -> None:
    text = written(key, language)
    assert segments.encoding(text) == ("UCS-2" if language == "zh-CN" else "GSM-7")
    assert segments.count(text) == 1, f"{segments.units(text)} units: {text}"


@pytest.mark.parametrize("key", catalogue.TEMPLATES)
def test_with_the_signature_that_carriers_add_it_fits_two(key: str) -> None:
    assert segments.count(SIGNATURE + written(key, "zh-CN")) <= 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_texts_of_a_day_are_the_same(language: str) -> None:
    """However two templates are filled with the same number and time, they differ."""
    texts = [written(key, language) for key in catalogue.TEMPLATES]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("key", [*ladder.LADDER_TEMPLATES, "contact_overdue", "seen_overdue", "test_page"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_tells_its_number_and_time(key: str, language: str) -> None:
    text = written(key, language)
    assert "9999999" in text
    assert "23:59:59" in text


@pytest.mark.parametrize("key", DATED)
@pytest.mark.parametrize(("language", "begins"), [("zh-CN", "12月28日："), ("en", "28 Dec: ")])
def test_every_reminder_begins_with_its_date(key: str, language: str, begins: str) -> None:
    assert written(key, language).startswith(begins)


@pytest.mark.parametrize("key", catalogue.TEMPLATES)
def test_each_language_is_its_own(key: str) -> None:
    chinese, english = catalogue.TEMPLATES[key]
    assert re.search("[\u4e00-\u9fff]", chinese)
    assert english.isascii()
    places = [sorted(name for _, name, _, _ in Formatter().parse(text) if name) for text in (chinese, english)]
    assert places[0] == places[1]


# --- Spoken ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "language"), HEARD)
def test_a_sentence_of_a_call_tells_nothing(key: str | None, language: str) -> None:
    text = heard(key, language)
    assert telling(text) == []
    assert LINK.search(text) is None


@pytest.mark.parametrize("key", [*ladder.LADDER_TEMPLATES, "contact_overdue", "seen_overdue", "test_page"])
@pytest.mark.parametrize(("language", "asks"), [("zh-CN", "按1"), ("en", "press 1")])
def test_a_call_says_the_number_digit_by_digit_and_asks_for_the_key(key: str, language: str, asks: str) -> None:
    text = catalogue.text_of(key, language, {"number": 4821, "time": "14:02"}, spoken=True)
    assert "4 8 2 1" in text
    assert asks in text
    assert len(text) < 80, "short enough to be said twice"


def test_what_was_not_accepted_is_not_said_to_be() -> None:
    accepted = {language: catalogue.text_of("call_accepted", language, {}, spoken=True) for language in LANGUAGES}
    refused = {language: catalogue.text_of("call_not_accepted", language, {}, spoken=True) for language in LANGUAGES}
    assert accepted == {"zh-CN": "已接收。请打开应用。", "en": "Accepted. Please open the app."}
    assert refused == {"zh-CN": "未接收。请打开应用。", "en": "Nothing was accepted. Please open the app."}


# --- What a gateway says is from here ---------------------------------------------------------------------------


@pytest.mark.parametrize("medium", ["sms", "voice", "wecom", "dingtalk"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_gateway_adds_nothing(medium: str, language: str) -> None:
    said = {"number": 4821, "time": "14:02"}
    one = Outgoing(None, "+8613800138000", "page", "page", language, said, medium=medium)  # type: ignore[arg-type]
    spoken = medium == "voice"
    assert one.text() == catalogue.text_of("page", language, said, spoken=spoken)
    assert "13800138000" not in one.text() + repr(one)


def test_the_forbidden_words_are_found_where_they_stand() -> None:
    """The net has no holes of its own: each word is caught in a sentence, and innocent ones are not."""
    for word in FORBIDDEN:
        assert telling(f"x {word} y") != [], word
    assert telling("Page 4821 14:02. Open the app.") == []
    assert LINK.search("see daymark.example/x")
    assert LINK.search("http://x")
    assert LINK.search("Page 1 14:02. Open the app.") is None
