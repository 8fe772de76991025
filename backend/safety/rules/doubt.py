"""S3, S7 and S8 of clinical-safety §3.6: reports that came, but unfinished or in doubt. Pure.

S3 is R02 by another door and holds during admission too; the others are suspended by it. A rule's usual level comes
as `thresholds["level"]`.
"""

from backend.safety.context import Context, Finding, Report
from backend.safety.rules.base import Thresholds, hours_between, rule
from backend.safety.rules.compose import compose
from backend.safety.rules.evidence import Fact, doses, hours, local_day, minutes
from backend.safety.rules.value_reading import compatible
from backend.safety.rules.vocabulary import Text, drug
from backend.safety.rules.wording import listed, number


@rule("S3", items=("neuro_finished",), settings=("sedative_h",))
def neuro_not_finished(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.6 S3: a neuro check handed in as "could not finish" acts as R02, also during admission.

    States the subject's own best score and sedatives taken; staff assess ICE (0–10).
    """
    report = context.report
    if report is None or report.form != "neuro" or report.answers.get("neuro_finished") != "could_not_finish":
        return None
    within = hours(context.settings["sedative_h"])
    recent = [each for each in doses(context, "sedative") if each.stop is None or context.at - each.stop <= within]
    names = listed(drug(dose.drug) for dose in recent) if recent else Text("无记录", "none on record")
    best = context.baseline.neuro
    own = Text("未知", "unknown") if best is None else Text(number(best), number(best))
    who = report.reporter
    texts = [
        Text(
            f"神经检查未能完成；本人基线最好成绩：{own.zh}；镇静药：{names.zh}。请立即由医护人员做 ICE 评估。",
            f"The neuro check could not be finished; own best score before treatment: {own.en}; sedatives: {names.en}. "
            "Staff ICE now.",
        )
    ]
    facts = [
        Fact("neuro_finished", "could_not_finish", report.at, report.id, who),
        *(Fact("sedative", dose.drug, dose.start, dose.id) for dose in recent),
    ]
    keys = ("icans", "stroke", "pres")
    level, more = thresholds["level"], {"neuro_baseline": best}
    closing = compatible(keys)
    return compose(
        context, level, organ="neuro", keys=keys, facts=facts, texts=texts, closing=closing, more=more, red_flag=True
    )


@rule("S7", items=("temp_c", "temp_site"), thresholds=("identical_times", "backdated_h"))
def doubtful_report(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.6 S7: the same values four times in a row, or a phone entry sent long after the time it speaks of.

    Same values: temperature (°C) and whatever was measured with it (pulse, pressure). Hours from measurement to
    arrival cannot tell a back-dated entry from a phone long offline: the sentence says so. A fresh reading is asked.
    """
    report = context.report
    if context.admitted or report is None:
        return None
    same = _identical(context, report)
    if len(same) >= thresholds["identical_times"]:
        degrees = report.answers["temp_c"]
        said = Text(
            f"连续 {len(same)} 次报告的数值完全相同（体温 {degrees} °C），请重新测量。",
            f"The same values in {len(same)} reports in a row (temperature {degrees} °C); measure afresh.",
        )
        return _doubt(context, thresholds["level"], said, same, f"S7:{same[0].id}")
    late = report.received_at - report.at
    if report.source != "phone" or late < hours(thresholds["backdated_h"]):
        return None
    ago = number(hours_between(report.received_at, report.at))
    said = Text(
        f"报告在其所述时间之后 {ago} 小时才收到：可能为补填，也可能手机离线。请重新测量。",
        f"Received {ago} h after the time it speaks of: possibly back-dated, possibly a phone offline. Measure afresh.",
    )
    return _doubt(context, thresholds["level"], said, [report], f"S7:{report.id}:backdated")


MEASURED_TOGETHER = ("temp_c", "hr", "sbp", "dbp")


def _identical(context: Context, report: Report) -> list[Report]:
    """The unbroken run of reports with the same measurements that ends with this one, oldest first."""
    if report.answers.get("temp_c") is None:
        return []
    readings = [each for each in context.reports if each.answers.get("temp_c") is not None and each.at <= report.at]
    run: list[Report] = []
    for each in sorted(readings, key=lambda each: each.at, reverse=True):
        if any(each.answers.get(item) != report.answers.get(item) for item in MEASURED_TOGETHER):
            break
        run.insert(0, each)
    return run


def _doubt(context: Context, level: str, said: Text, reports: list[Report], key: str) -> Finding:
    facts = [Fact("temp_c", report.answers.get("temp_c"), report.at, report.id, report.reporter) for report in reports]
    more = {"received_at": [report.received_at for report in reports]}
    keys, closing = ("data_quality",), compatible(("data_quality",))
    return compose(
        context,
        level,
        organ="data",
        keys=keys,
        facts=facts,
        texts=[said],
        closing=closing,
        more=more,
        key=key,
        asks="temperature",
    )


@rule("S8", thresholds=("skew_min", "offline_min"))
def device_in_doubt(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.6 S8: device clock more than 10 min off, or an entry that reached us long after it was made: NOTE, once a day.

    Silence is judged by the server's clock in any case.
    """
    report = context.report
    if context.admitted or report is None or report.source != "phone":
        return None
    skewed = abs(report.skew_s) > minutes(thresholds["skew_min"]).total_seconds()
    offline = report.received_at - report.at > minutes(thresholds["offline_min"])
    if not (skewed or offline):
        return None
    off, ago = abs(report.skew_s) // 60, number(hours_between(report.received_at, report.at))
    way = Text("快", "fast") if report.skew_s > 0 else Text("慢", "slow")
    texts = [
        Text(f"手机时钟{way.zh} {off} 分钟。", f"The phone's clock is {off} min {way.en}.") if skewed else None,
        Text(f"报告在 {ago} 小时后才送达。", f"The report arrived after {ago} h.") if offline else None,
    ]
    facts = [Fact("skew_s", report.skew_s, report.at, report.id, report.reporter)]
    more = {"received_at": report.received_at, "claimed_at": report.claimed_at}
    keys, key = ("data_quality",), f"S8:{local_day(context, context.now)}"
    closing, level = compatible(keys), thresholds["level"]
    return compose(
        context,
        level,
        organ="data",
        keys=keys,
        facts=facts,
        texts=texts,
        closing=closing,
        more=more,
        key=key,
        pages=False,
    )
