"""Refusals: one exception, one list of stable codes, texts for people in both languages.

`Problem` is what any floor raises to refuse; the doors turn it into `application/problem+json`.
A refusal that must leave a trace (a counted failure, a revoked family) says so with
`commits=True`: what the transaction wrote up to then is kept.
"""

from collections.abc import Iterable

from schedules.faults import Fault

# code: (HTTP status, English, Chinese). Published: a code is never renamed or reused.
CODES: dict[str, tuple[int, str, str]] = {
    "not_json": (400, "The body is not valid JSON.", "请求内容不是有效的 JSON。"),
    "bad_request": (400, "The request could not be understood.", "无法理解该请求。"),
    "sign_in_required": (401, "Please sign in.", "请先登录。"),
    "token_expired": (401, "The sign-in has expired.", "登录已过期。"),
    "token_invalid": (401, "The token is not valid.", "令牌无效。"),
    "token_revoked": (401, "This sign-in was ended.", "此登录已被终止。"),
    "refresh_reused": (
        401,
        "This refresh token was used before; every sign-in of its family is ended.",
        "此刷新令牌已被使用过，相关登录已全部终止。",
    ),
    "csrf_failed": (401, "The CSRF header is missing or wrong.", "缺少或错误的 CSRF 请求头。"),
    "credentials_wrong": (401, "Name, password, PIN or code is wrong.", "用户名、密码、PIN 或验证码错误。"),
    "locked_out": (
        401,
        "Too many failed attempts; this sign-in is locked for a while.",
        "失败次数过多，登录已暂时锁定。",
    ),
    "forbidden": (403, "Your role does not allow this.", "您的角色无权执行此操作。"),
    "signature_wrong": (403, "The request is not signed as its sender signs.", "请求签名无效。"),
    "not_delegated": (403, "This task is not delegated to you at this site today.", "该中心今天未授权您执行此任务。"),
    "confirmation_required": (
        403,
        "Confirm with your password before signing.",
        "签名前请再次输入密码确认。",
    ),
    "not_found": (404, "There is no such thing here.", "没有找到该内容。"),
    "method_not_allowed": (405, "This address does not take that method.", "该地址不支持此方法。"),
    "not_acceptable": (406, "The answer cannot be given in that form.", "无法以该格式提供结果。"),
    "conflict": (409, "This conflicts with what is stored.", "与已存内容冲突。"),
    "id_taken": (409, "This id is already used for something else.", "该编号已被其他内容使用。"),
    "entry_conflict": (
        409,
        "Another content was stored under this revision; both are kept.",
        "该版本号已存有不同内容，两份均已保留。",
    ),
    "revision_superseded": (
        409,
        "A newer revision is already stored; this one is kept beside it.",
        "已存有更新的版本，此版本已另行保留。",
    ),
    "episode_closed": (409, "The episode is closed.", "该事件已关闭。"),
    "subject_ended": (409, "The subject has left the study.", "该受试者已退出研究。"),
    "record_locked": (409, "The record is locked.", "该记录已锁定。"),
    "visit_frozen": (409, "The visit is frozen.", "该访视已冻结。"),
    "infusion_held": (
        409,
        "The dose level is held; only the principal investigator may override this, with a reason.",
        "该剂量组已暂停，仅主要研究者可说明理由后解除。",
    ),
    "no_waking_channel": (
        409,
        "No test page has been accepted over a channel that wakes; test texts or calls first.",
        "尚无可唤醒人的通道通过测试呼叫，请先测试短信或电话通道。",
    ),
    "site_not_live": (
        409,
        "The site is not live yet: first a test page must reach somebody over a channel that wakes.",
        "该中心尚未启用：须先有一次测试呼叫经可唤醒人的通道送达。",
    ),
    "slot_closed": (
        409,
        "The slot is closed; ask the study site to change this entry.",
        "该时段已关闭，如需修改请联系研究中心。",
    ),
    "stale": (412, "Somebody changed this since you read it.", "您读取之后内容已被修改。"),
    "too_large": (413, "The body is too large.", "请求内容过大。"),
    "unsupported_media_type": (415, "This address does not take that Content-Type.", "该地址不接受此内容类型。"),
    "invalid": (422, "Some of what was sent is not right; see `faults`.", "部分内容有误，请查看 faults。"),
    "if_match_required": (428, "Send If-Match with the ETag you read.", "请在 If-Match 中提供读取到的 ETag。"),
    "too_many_requests": (429, "Too many requests; please wait.", "请求过于频繁，请稍候。"),
    "internal": (500, "Something went wrong on our side.", "服务器出现错误。"),
    "unavailable": (503, "Not ready.", "服务暂不可用。"),
}


class Refused(Exception):
    """A command of the operator that is not carried out, and why, in words to print. No address, no value."""


class Problem(Exception):
    """A refusal. `code` is one of CODES; `detail` English for people; `faults` name every bad place."""

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        faults: Iterable[Fault] = (),
        commits: bool = False,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.code = code
        self.status = CODES[code][0]
        self.detail = detail
        self.faults = tuple(faults)
        self.commits = commits
        self.headers = headers or {}
        super().__init__(f"{code}: {detail or CODES[code][1]}")


def invalid(*faults: Fault) -> Problem:
    """422 with the given faults."""
    return Problem("invalid", faults=faults)


def fault(path: str, code: str, message: str) -> Problem:
    """422 with a single fault."""
    return invalid(Fault(path, code, message))
