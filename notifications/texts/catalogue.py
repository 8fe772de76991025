"""The texts, whole, by key and language. They tell nothing: no name, disease, drug, value, study, visit type, link.

A template may hold `{number}`, `{time}`, `{days}`, `{phone}` and nothing else; a text given its `day` begins with that
date, so that a late one is understood and no two are the same (providers in mainland China refuse a repeat within a
day). They also approve texts word by word: a changed word here is a change to be announced to the provider.
"""

from collections.abc import Mapping
from datetime import date
from string import Formatter
from typing import Any

LANGUAGES = ("zh", "en")

# key: (Chinese, English)
TEMPLATES: dict[str, tuple[str, str]] = {
    # Pages, to the team. The number and the time tell a repeat from a new one.
    "page": ("呼叫 {number}，{time}。请打开应用。", "Page {number} {time}. Open the app."),
    "page_again": (
        "再次呼叫 {number}，{time}，仍待接收。请打开应用。",
        "Page {number} again, {time}. Still to be accepted. Open the app.",
    ),
    "page_everyone": (
        "呼叫全员 {number}，{time}，仍待接收。请任何一位打开应用。",
        "Page {number} to everyone, {time}. Still to be accepted. Whoever can: open the app.",
    ),
    "contact_overdue": (
        "呼叫 {number}，{time}：联系已超时。请打开应用。",
        "Page {number} {time}: contact is overdue. Open the app.",
    ),
    "seen_overdue": (
        "呼叫 {number}，{time}：当面查看已超时。请打开应用。",
        "Page {number} {time}: seeing in person is overdue. Open the app.",
    ),
    "rota_gap": (
        "值班表在未来一天内有空缺，起于{time}。请打开应用填补。",
        "The rota has a gap within the next day, from {time}. Open the app to fill it.",
    ),
    "test_page": (
        "测试呼叫 {number}，{time}。请在应用中确认收到。",
        "Test page {number} {time}. Confirm in the app that it reached you.",
    ),
    "digest": ("您的工作列表中有待处理事项。请打开应用。", "There are items waiting in your worklist. Open the app."),
    # Reminders, to patients and carers.
    "diary_today": ("今天您的日记中有一项待完成。", "You have a task in your study diary today."),
    "visit_today": ("您今天有一次预约。", "You have an appointment today."),
    "visit_soon": ("您在{days}天后有一次预约。", "You have an appointment in {days} day(s)."),
    "diary_and_visit_today": (
        "今天您的日记中有一项待完成，另有一次预约。",
        "You have a task in your study diary and an appointment today.",
    ),
    "diary_and_visit_soon": (
        "今天您的日记中有一项待完成；{days}天后有一次预约。",
        "You have a task in your study diary today, and an appointment in {days} day(s).",
    ),
    "nudge": (
        "您的日记中还有一项未完成，请抽空填写。",
        "A task in your study diary is still open. Please complete it.",
    ),
    # The answer to whatever somebody writes to us.
    "not_read": (
        "这是日记提醒号码，发来的短信无人查看。如有不适，请致电 {phone}。",
        "This number sends diary reminders. Nobody reads texts here. If you feel unwell, call {phone}.",
    ),
}

# What a call says; whatever it is about, only the key that is pressed answers it.
SPOKEN = {
    "test_page": ("测试呼叫，{number}。听到请按1。", "Test page {number}. If you hear this, press 1."),
    "call_accepted": ("已接收。请打开应用。", "Accepted. Please open the app."),
    "call_not_accepted": ("未接收。请打开应用。", "Nothing was accepted. Please open the app."),
    None: ("呼叫，{number}。接收请按1。", "Page {number}. To accept it, press 1."),
}
_DAY = ("{0.month}月{0.day}日：", "{0:%-d} {0:%b}: ")

# What goes to patients and carers; everything else is the team's.
_TO_PATIENTS = ("diary_today", "visit_today", "visit_soon", "diary_and_visit_today", "diary_and_visit_soon", "nudge",
                "not_read")  # fmt: skip


def sent_to_patients() -> dict[str, tuple[str, str]]:
    """Every text that patients and carers get: key, (Chinese, English)."""
    return {key: TEMPLATES[key] for key in _TO_PATIENTS}


# What a platform is given to send; the answer to a text that was written to us goes back the way it came.
SENT = tuple(key for key in TEMPLATES if key != "not_read")


class UnknownText(LookupError):
    """There is no such template, or a variable it needs was not given."""


def text_of(template: str, language: str, variables: Mapping[str, Any], *, spoken: bool = False) -> str:
    """What a person reads, or hears on a call. Raises UnknownText."""
    return (_spoken if spoken else render)(template, language, variables)


def render(template: str, language: str, variables: Mapping[str, Any]) -> str:
    """The text of a template. Any language but Chinese reads English. Raises UnknownText."""
    return _filled(_of(TEMPLATES, template, language), template, language, variables)


def _spoken(template: str, language: str, variables: Mapping[str, Any]) -> str:
    """What a call says for a template, its number digit by digit. Raises UnknownText."""
    words = {**variables, "number": " ".join(str(variables.get("number", "")))}
    return _filled(_of(SPOKEN, template if template in SPOKEN else None, language), template, language, words)


def values(template: str, language: str, variables: Mapping[str, Any]) -> dict[str, str]:
    """The variables of a text as they stand in it, in its order: what a platform fills an approved text with."""
    text = _of(TEMPLATES, template, language)
    named = [name for _, name, _, _ in Formatter().parse(text) if name]
    day = {"day": _day(language, variables["day"]).strip("：: ")} if "day" in variables else {}
    return {**day, **{name: str(variables[name]) for name in named if name in variables}}


def short(language: str) -> str:
    """`zh` or `en`: the languages there are."""
    return "zh" if language.lower().startswith("zh") else "en"


def language_of(locale: str) -> str:
    """The language of the house nearest to an account's locale."""
    return "zh-CN" if short(locale) == "zh" else "en"


def _of(texts: Mapping[Any, tuple[str, str]], template: str | None, language: str) -> str:
    if template not in texts:
        raise UnknownText(f"{template}: no such text")
    return texts[template][LANGUAGES.index(short(language))]


def _filled(text: str, template: str, language: str, variables: Mapping[str, Any]) -> str:
    start = _day(language, variables["day"]) if "day" in variables else ""
    try:
        return start + text.format_map({name: str(value) for name, value in variables.items()})
    except KeyError as missing:
        raise UnknownText(f"{template}: {missing.args[0]}") from missing


def _day(language: str, day: str) -> str:
    """A date, YYYY-MM-DD, as a text begins with it."""
    return _DAY[LANGUAGES.index(short(language))].format(date.fromisoformat(day))
