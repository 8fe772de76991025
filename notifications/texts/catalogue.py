"""The texts, whole, by key and language. They tell nothing: no name, disease, drug, value, study, visit type, link.

A template may hold `{number}`, `{time}`, `{days}`, `{phone}` and nothing else. Providers in mainland China approve
texts word by word, so a changed word here is a change to be announced to the provider.
"""

from collections.abc import Mapping
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


# What goes to patients and carers; everything else is the team's.
_TO_PATIENTS = ("diary_today", "visit_today", "visit_soon", "diary_and_visit_today", "diary_and_visit_soon", "nudge",
                "not_read")  # fmt: skip


def sent_to_patients() -> dict[str, tuple[str, str]]:
    """Every text that patients and carers get: key, (Chinese, English)."""
    return {key: TEMPLATES[key] for key in _TO_PATIENTS}


class UnknownText(LookupError):
    """There is no such template, or a variable it needs was not given."""


def render(template: str, language: str, variables: Mapping[str, Any]) -> str:
    """The text of a template. Any language but Chinese reads English. Raises UnknownText."""
    try:
        chinese, english = TEMPLATES[template]
        text = chinese if language.lower().startswith("zh") else english
        return text.format_map({name: str(value) for name, value in variables.items()})
    except KeyError as missing:
        raise UnknownText(f"{template}: {missing.args[0]}") from missing


def language_of(locale: str) -> str:
    """The language of the house nearest to an account's locale."""
    return "zh-CN" if locale.lower().startswith("zh") else "en"
