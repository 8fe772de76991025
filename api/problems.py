"""Errors leave in one shape: `application/problem+json` with a stable code and the path of each fault."""

import re
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

import marshmallow as ma
import structlog
from flask import Response, g, request
from flask_smorest import Api
from sqlalchemy.exc import IntegrityError, OperationalError
from werkzeug.exceptions import HTTPException

from api.fields import Body
from backend import strictjson
from backend.errors import CODES, Problem
from schedules.faults import Fault, pointer

log = structlog.get_logger("daymark")

# Marshmallow's sentences, by what they begin with: our code and the sentence in Chinese.
_SENTENCES: tuple[tuple[str, str, str], ...] = (
    (r"Missing data for required field", "required", "此项必填。"),
    (r"Unknown field", "unknown_field", "不认识的字段。"),
    (r"Field may not be null", "null_not_allowed", "此项不能为空值。"),
    (r"Not a valid UUID", "invalid_uuid", "不是有效的 UUID。"),
    (r"Not a valid instant", "invalid_instant", "不是带时区偏移的有效时间。"),
    (r"Not a valid date", "invalid_date", "不是有效的日期。"),
    (r"Not a known time zone", "unknown_time_zone", "未知的时区。"),
    (r"Outside the years", "out_of_range", "年份超出范围。"),
    (r"Must be one of", "not_allowed", "不在允许的取值之内。"),
    (r"(Must be greater|Must be less|Must be .* and )", "out_of_range", "数值超出范围。"),
    (r"Longer than maximum", "too_long", "内容过长。"),
    (r"Shorter than minimum", "too_short", "内容过短。"),
    (r"Length must be", "wrong_length", "长度不符。"),
    (r"In the future", "in_the_future", "时间在将来。"),
    (r"Twice in one list", "duplicate", "重复出现。"),
    (r"Contradicts another answer", "contradiction", "与另一项填写的内容矛盾。"),
    (r"Not a unit of this value", "wrong_unit", "单位不正确。"),
    (r"String does not match", "wrong_format", "格式不正确。"),
    (r"(Not a valid|Invalid input type|Invalid type)", "wrong_type", "数据类型不正确。"),
)

_BY_CODE = {code: sentence for _, code, sentence in _SENTENCES}

# Sentences of faults that other floors raise, in Chinese, by code.
_CHINESE: dict[str, str] = {
    "already_corrected": "此记录已更正过，请更正最新的那一条。",
    "ambiguous": "多个研究中心有此编号，请注明中心。",
    "before_consent": "早于知情同意。",
    "changed": "此项提交后不能更改。",
    "code_expired": "此激活码已过期。",
    "code_unknown": "激活码不正确。",
    "code_used": "此激活码已使用。",
    "differs_from_record": "此样本已录入不同的结果，请更正原记录。",
    "duplicate": "重复出现。",
    "empty": "尚未填写任何内容。",
    "exclusive": "此选项不能与其他选项同时选择。",
    "hidden": "根据前面的回答，此项无需填写。",
    "id_taken": "此编号已被使用。",
    "in_the_future": "时间在将来。",
    "in_the_past": "时间已经过去。",
    "invalid": "内容无效。",
    "invalid_phone": "电话号码无效。",
    "looks_like_fahrenheit": "看起来是华氏度，请填写摄氏度。",
    "looks_mistyped": "数字可能输错了，请再核对一次。",
    "malformed": "格式不正确。",
    "no_phone": "此人没有登记电话号码。",
    "not_found": "没有找到。",
    "not_json": "不是有效的 JSON。",
    "not_installed": "系统设置中没有此网关所需的内容。",
    "not_in_form": "此表单不询问该项。",
    "out_of_order": "与已记录的时间先后不符。",
    "out_of_range": "数值超出范围。",
    "record_locked": "该记录已锁定。",
    "required": "此项必填。",
    "taken": "已被使用。",
    "too_many_decimals": "小数位数过多。",
    "unknown_drug": "不在退烧止痛药列表中。",
    "unknown_form": "没有此表单。",
    "unknown_item": "表单中没有此项。",
    "unknown_key": "不认识的字段。",
    "unknown_option": "没有此选项。",
    "unknown_site": "没有此研究中心。",
    "wrong_unit": "单位不正确。",
}


class FaultSchema(Body):
    path = ma.fields.String(required=True, metadata={"description": "JSON Pointer into what was sent"})
    code = ma.fields.String(required=True)
    message = ma.fields.String(required=True)


class ProblemSchema(Body):
    """The one shape of every error."""

    type = ma.fields.String(required=True)
    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True)
    code = ma.fields.String(required=True, metadata={"enum": sorted(CODES)})
    detail = ma.fields.String(required=True)
    faults = ma.fields.List(ma.fields.Nested(FaultSchema), required=True)
    request_id = ma.fields.String(required=True, allow_none=True)


PROBLEM = "Problem"  # the one error answer, referred to by name from every door


def describe_problem(api: Api) -> None:
    """Put the error answer into the document, before any door refers to it."""
    content = {"application/problem+json": {"schema": ProblemSchema}}
    api.spec.components.response(PROBLEM, {"description": "Refused; `code` says why.", "content": content})


def faults_of(messages: Any, path: tuple[object, ...] = ()) -> Iterator[Fault]:
    """Marshmallow's nested messages as a flat list of faults with JSON Pointers."""
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            yield from faults_of(inner, path if name == "_schema" else (*path, name))
    elif isinstance(messages, (list, tuple)):
        for inner in messages:
            if isinstance(inner, (Mapping, list, tuple)):
                yield from faults_of(inner, path)
            else:
                yield Fault(pointer(path), _code_of(str(inner)), str(inner))
    else:
        yield Fault(pointer(path), _code_of(str(messages)), str(messages))


def _code_of(sentence: str) -> str:
    return next((code for pattern, code, _ in _SENTENCES if re.match(pattern, sentence)), "invalid")


def _in_language(fault: Fault, chinese: bool) -> str:
    if not chinese:
        return fault.message
    ours = (
        sentence for pattern, code, sentence in _SENTENCES if code == fault.code and re.match(pattern, fault.message)
    )
    return next(ours, None) or _CHINESE.get(fault.code) or _BY_CODE.get(fault.code, fault.message)


def wants_chinese() -> bool:
    """The caller's language: what the signed-in person chose, else the browser's wish."""
    locale = getattr(g, "locale", None) or request.accept_languages.best_match(["en", "zh-CN", "zh"]) or "en"
    return locale.lower().startswith("zh")


def answer(problem: Problem) -> Response:
    """The HTTP answer for a refusal."""
    status, english, chinese_text = CODES[problem.code]
    chinese = wants_chinese()
    body = {
        "type": f"/api/docs#problem-{problem.code}",
        "title": chinese_text if chinese else english,
        "status": status,
        "code": problem.code,
        "detail": problem.detail if problem.detail and not chinese else (chinese_text if chinese else english),
        "faults": [
            {"path": fault.path, "code": fault.code, "message": _in_language(fault, chinese)}
            for fault in problem.faults
        ],
        "request_id": getattr(g, "request_id", None),
    }
    response = Response(strictjson.dumps(body), status=status, content_type="application/problem+json")
    response.headers.update(problem.headers)
    return response


_HTTP_CODES = {
    400: "bad_request",
    401: "sign_in_required",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "too_many_requests",
    503: "unavailable",
}


def from_http(error: HTTPException) -> Response:
    """Werkzeug's own errors in our shape; redirects pass through."""
    if error.code is None or error.code < 400:
        return error.get_response()  # type: ignore[return-value]
    problem = Problem(_HTTP_CODES.get(error.code, "internal" if error.code >= 500 else "bad_request"))
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            problem.headers[name] = value
    if (limited := getattr(error, "retry_after", None)) and error.code == 429:
        problem.headers.setdefault("Retry-After", str(limited))
    return answer(problem)


def _is_taken(error: IntegrityError) -> bool:
    """Two requests made the same thing in the same instant, and the other was first. Any other broken rule is ours."""
    return getattr(error.orig, "sqlstate", None) == "23505" or str(error.orig).startswith("UNIQUE constraint")


def from_crash(error: Exception) -> Response:
    """Anything unforeseen: logged by kind, place and request id, answered without a detail.

    What the error says is not logged: libraries put into it what they choked on, a number or an answer.
    """
    frames = traceback.extract_tb(error.__traceback__)
    log.error(
        "crash",
        error=type(error).__name__,
        cause=type(error.__cause__).__name__ if error.__cause__ else None,
        at=[f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
        request_id=getattr(g, "request_id", None),
    )
    if isinstance(error, OperationalError):
        return answer(Problem("unavailable", headers={"Retry-After": "2"}))
    if isinstance(error, IntegrityError) and _is_taken(error):
        return answer(
            Problem("conflict", "something of the same name was stored at the same moment; look, then try again")
        )
    return answer(Problem("internal"))
