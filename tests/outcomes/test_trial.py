"""Eighteen subjects from screening to month 3 through the doors; the trial's tables; and the same tables once more
from the exported raw rows alone, by a short reckoning that knows nothing of the server's code."""

import csv
import io
import json
import random
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from math import comb
from typing import Any
from uuid import uuid4

import databases
import pytest
from house import HandClock, House, furnished, iso

from tests.trial.desk import visit

Trial = tuple[House, list[dict[str, Any]]]
ITEM_SYSTEMS = (
    "constitutional",
    "mucocutaneous",
    "neuropsychiatric",
    "musculoskeletal",
    "cardiorespiratory",
    "gastrointestinal",
    "ophthalmic",
)
QUIET_KIDNEY = {
    "urine_protein_24h_g": 0.1,
    "creatinine_umol_l": 70,
    "systolic_mmhg": 118,
    "diastolic_mmhg": 74,
    "accelerated_hypertension": False,
    "nephrotic_syndrome": False,
    "active_urinary_sediment": False,
    "active_nephritis_histology_3m": False,
}
QUIET_BLOOD = {
    "haemoglobin_g_dl": 12.5,
    "wbc_1e9_l": 5.1,
    "neutrophils_1e9_l": 3.2,
    "lymphocytes_1e9_l": 1.4,
    "platelets_1e9_l": 210,
    "ttp": 0,
    "active_haemolysis": False,
    "coombs_isolated": False,
    "attributable_to_sle": True,
}
WEIGHTS = {
    "arthritis": 4,
    "proteinuria": 4,
    "rash": 2,
    "alopecia": 2,
    "low_complement": 2,
    "increased_dna_binding": 2,
    "vasculitis": 8,
}
SEROLOGY = {"low_complement", "increased_dna_binding"}
# What each of the eighteen is like at month 3: descriptors, PGA, codes of arthritis and rash, prednisone in mg.
CASES: list[dict[str, Any]] = [
    {"present": [], "pga": 0.2, "joint": 0, "skin": 0, "mg": 0},
    {"present": [], "pga": 0.4, "joint": 0, "skin": 0, "mg": 5},
    {"present": ["low_complement"], "pga": 0.3, "joint": 0, "skin": 0, "mg": 2.5},
    {"present": ["rash"], "pga": 0.8, "joint": 0, "skin": 1, "mg": 5},
    {"present": ["rash", "low_complement"], "pga": 1.0, "joint": 0, "skin": 1, "mg": 7.5},
    {"present": ["arthritis"], "pga": 1.1, "joint": 1, "skin": 0, "mg": 10},
    {"present": [], "pga": 0.5, "joint": 0, "skin": 0, "mg": 0},
    {"present": ["increased_dna_binding"], "pga": 0.49, "joint": 0, "skin": 0, "mg": 0},
    {"present": ["arthritis", "rash", "vasculitis"], "pga": 2.5, "joint": 4, "skin": 2, "mg": 15},
    {"present": ["rash"], "pga": 2.3, "joint": 0, "skin": 1, "mg": 5},  # PGA worse by just 0.3
    {"present": [], "pga": None, "joint": 0, "skin": 0, "mg": 0},
    {"present": [], "pga": 0.1, "joint": 0, "skin": 0, "mg": 0, "not_assessed": ["proteinuria"]},
    {"present": ["vasculitis"], "pga": 0.3, "joint": 0, "skin": 0, "mg": 0},
    {"left": True},
    {"absent": True},
    {"present": [], "pga": 0.2, "joint": 0, "skin": 0, "mg": 0, "rescue": True},
    {"present": ["alopecia"], "pga": 0.4, "joint": 0, "skin": 0, "mg": 0, "unreviewed": True},
    {"present": [], "pga": 0.0, "joint": 0, "skin": 0, "mg": 5.1},
]


def bilag(joint: int, skin: int) -> dict[str, Any]:
    systems: dict[str, Any] = {system: {"unlisted_items": 0} for system in ITEM_SYSTEMS}
    systems["musculoskeletal"] = {"items": {"41": joint}, "unlisted_items": 0}
    systems["mucocutaneous"] = {"items": {"6": skin}, "unlisted_items": 0}
    return {"systems": {**systems, "renal": {"current": QUIET_KIDNEY}, "haematological": {"current": QUIET_BLOOD}}}


def put(house: House, visit_id: str, instrument: str, answers: Mapping[str, Any], at: datetime) -> None:
    body = {"revision": 1, "answers": answers, "rater_id": str(house.doctor.id), "assessed_at": iso(at)}
    answer = house.nurse.put(f"/visits/{visit_id}/forms/{instrument}", body)
    assert answer.status_code == 201, answer.text


def screened(house: House, n: int) -> dict[str, Any]:
    """Enrolled, screened ten days ago with a SLEDAI-2K of 12, collected and infused today."""
    person = {"name": "A B", "phone": f"138001380{n:02}"}
    subject = house.enrol(number=f"{n + 1:03}", dose_level=str(1 + n // 6), contact=person)
    house.event(subject, "collection", actual_at=house.now - timedelta(hours=3))
    screening, then = visit(house, subject, "V0")["id"], house.now - timedelta(days=10)
    put(house, screening, "sledai2k", {"present": ["arthritis", "proteinuria", "rash", "low_complement"]}, then)
    put(house, screening, "pga", {"value": 2.0, "scale": "0-3"}, then)
    put(house, screening, "bilag2004", bilag(4, 2), then)
    infused = house.now - timedelta(minutes=n)
    house.event(subject, "infusion", actual_at=infused)
    return {**subject, "infused": infused}


def at_month_three(house: House, subject: Mapping[str, Any], case: Mapping[str, Any]) -> None:
    seen, now = visit(house, subject, "V16")["id"], house.now
    put(house, seen, "sledai2k", {"present": case["present"], "not_assessed": case.get("not_assessed", [])}, now)
    if case["pga"] is not None:
        put(house, seen, "pga", {"value": case["pga"], "scale": "0-3"}, now)
    put(house, seen, "bilag2004", bilag(case["joint"], case["skin"]), now)
    treatment = {"medications_reviewed": not case.get("unreviewed", False), "rescue_treatment": case.get("rescue")}
    put(house, seen, "treatment", treatment, now)
    came = {"at": iso(now), "outcome": "attended"}
    assert house.nurse.put(f"/visits/{seen}/attendance", came).status_code == 200


def values(house: House, subject: Mapping[str, Any], n: int, chance: random.Random) -> None:
    """Copies of the CAR on eight days; B cells and C3 before and after."""
    items: list[dict[str, Any]] = []

    def add(code: str, days: float, value: float, unit: str, qualifier: str = "") -> None:
        at = iso(subject["infused"] + timedelta(days=days))
        what = {"code": code, "value": round(value, 2), "qualifier": qualifier, "unit": unit}
        items.append({"id": str(uuid4()), **what, "source": "laboratory", "collected_at": at})

    for days in (-0.02, 3.1, 7.05, 10, 14.2, 21, 28, 89):
        level = 0.0 if days < 0 else 20000 * 2.7 ** -abs(days - 10) * chance.uniform(0.8, 1.2)
        add("car_copies", days, max(level, 50), "{copies}/ug", "<" if level < 50 else "")
    for days, count in ((-11, 90), (14, 1), (28, 0), (59, 6), (89, 25 if n % 2 else 4)):
        add("b_cells", days, count, "/uL")
    add("c3", -11, 0.5, "g/L")
    add("c3", 89, 90 + n, "mg/dL")
    answer = house.nurse.post(f"/subjects/{subject['id']}/measurements", items)
    assert answer.status_code == 201, answer.text


@pytest.fixture(params=databases.KINDS)
def trial(request: pytest.FixtureRequest, time: HandClock) -> Iterator[Trial]:
    """The same on both databases; played once, then copied."""
    with furnished(request.param, time, played) as house:
        yield house, house.made


def played(house: House) -> list[dict[str, Any]]:
    """The eighteen, up to month 3."""
    chance = random.Random(18)
    subjects = [screened(house, n) for n in range(len(CASES))]
    for subject, case in zip(subjects, CASES, strict=True):
        if case.get("mg"):
            dose = {"drug": "prednisone", "dose_mg": case["mg"], "times_per_day": 1}
            body = {"id": str(uuid4()), **dose, "started_at": iso(house.now - timedelta(days=40))}
            assert house.nurse.post(f"/subjects/{subject['id']}/medications", body).status_code == 201
    house.to(2026, 5, 1, 9)
    house.event(subjects[13], "withdrawal", actual_at=house.now)
    house.to(2026, 5, 31, 9)  # day 90
    for n, (subject, case) in enumerate(zip(subjects, CASES, strict=True)):
        if not case.get("left") and not case.get("absent"):
            at_month_three(house, subject, case)
        values(house, subject, n, chance)
    return subjects


def cells(house: House, outcome: str, query: str = "") -> dict[tuple[str | None, str], dict[str, Any]]:
    answer = house.statistician.get(f"/outcomes?outcome={outcome}{query}")
    assert answer.status_code == 200, answer.text
    return {(one["time_point"], one["dose_level"]): one for one in answer.json["items"]}


# --- The reckoning: exported rows in, tables out ----------------------------------------------------------------

Rows = dict[str, list[dict[str, str]]]
Truth = bool | None


def exported(house: House, query: str = "") -> tuple[bytes, Rows]:
    answer = house.statistician.get(f"/exports/dataset.zip{query}")
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        tables = {
            name.removesuffix(".csv"): list(csv.DictReader(io.StringIO(archive.read(name).decode(), newline="")))
            for name in archive.namelist()
            if name.endswith(".csv")
        }
    return answer.data, tables


def reckoned(rows: Rows) -> dict[str, dict[str, Truth]]:
    """SRI-4, LLDAS and DORIS of each subject at V16, from assessments and medications alone."""
    last: dict[tuple[str, str, str], Any] = {}
    for row in rows["assessments"]:
        last[(row["subject"], row["visit_key"], row["instrument"])] = json.loads(row["answers"])
    steroid = {row["subject"]: float(row["dose_mg"]) * float(row["times_per_day"]) for row in rows["medications"]}
    found = {}
    for subject in (row["subject"] for row in rows["subjects"]):
        names = ("sledai2k", "pga", "bilag2004", "treatment")
        before, now = ({name: last.get((subject, key, name)) for name in names} for key in ("V0", "V16"))
        if now["sledai2k"] is None:
            found[subject] = dict.fromkeys(("sri4", "lldas", "doris"))
            continue
        mg = steroid.get(subject, 0.0) if now["treatment"]["medications_reviewed"] else None
        found[subject] = responses(before, now, mg)
    return found


def responses(before: Mapping[str, Any], now: Mapping[str, Any], mg: float | None) -> dict[str, Truth]:
    present, was = set(now["sledai2k"]["present"]), set(before["sledai2k"]["present"])
    unseen = bool(now["sledai2k"]["not_assessed"])
    score, pga = sum(WEIGHTS[one] for one in present), now["pga"] and now["pga"]["value"]
    major = bool(present & {"proteinuria", "vasculitis"})
    pairs = list(zip(letters(before["bilag2004"]), letters(now["bilag2004"]), strict=True))
    new_a = any(new == "A" != old for old, new in pairs)
    new_b = sum(new == "B" and old in "CDE" for old, new in pairs)
    stable = None if mg is None else True
    sri4 = [
        None if unseen else sum(WEIGHTS[one] for one in was) - score >= 4,
        None if pga is None else round(pga - before["pga"]["value"], 6) < 0.3,
        not new_a and new_b <= 1,
        not now["treatment"]["rescue_treatment"],
    ]
    lldas = [
        False if score > 4 or major else None if unseen else True,
        not present - was,
        None if pga is None else pga <= 1,
        None if mg is None else mg <= 7.5,
        stable,
    ]
    doris = [
        False if present - SEROLOGY else None if unseen else True,
        None if pga is None else pga < 0.5,
        None if mg is None else mg <= 5,
        stable,
    ]
    return {"sri4": three(sri4), "lldas": three(lldas), "doris": three(doris)}


def letters(form: Mapping[str, Any]) -> tuple[str, str]:
    """Severe arthritis: active A, improving B. A mild eruption (list B): active B, improving C. The rest was quiet."""
    joint, skin = form["systems"]["musculoskeletal"]["items"]["41"], form["systems"]["mucocutaneous"]["items"]["6"]
    return "A" if joint >= 2 else "B" if joint else "D", "B" if skin >= 2 else "C" if skin else "D"


def three(truths: list[Truth]) -> Truth:
    return False if False in truths else None if None in truths else True


def exact_interval(n: int, of: int) -> tuple[float, float]:
    """Clopper-Pearson in floats: where the upper and the lower tail each hold 2.5 %."""

    def at_least(p: float, least: int) -> float:
        return sum(comb(of, k) * p**k * (1 - p) ** (of - k) for k in range(least, of + 1))

    def turns(test: Callable[[float], bool]) -> float:
        low, high = 0.0, 1.0
        while high - low > 1e-9:
            middle = (low + high) / 2
            low, high = (low, middle) if test(middle) else (middle, high)
        return low

    lower = turns(lambda p: at_least(p, n) > 0.025) if n else 0.0
    return lower, turns(lambda p: at_least(p, n + 1) > 0.975) if n < of else 1.0


def profiles(rows: Rows) -> dict[str, list[tuple[float, float]]]:
    """(days to the minute, copies; below the limit 0) of each subject, in order of time."""
    infused = {row["subject"]: datetime.fromisoformat(row["infused_at"]) for row in rows["subjects"]}
    found: dict[str, list[tuple[float, float]]] = {subject: [] for subject in infused}
    for row in rows["measurements"]:
        if row["code"] == "car_copies":
            passed = datetime.fromisoformat(row["collected_at"]) - infused[row["subject"]]
            level = 0.0 if row["qualifier"] == "<" else float(row["value"])
            found[row["subject"]].append((round(passed.total_seconds() / 60) / 1440, level))
    return {subject: sorted(some) for subject, some in found.items()}


def linear_area(profile: list[tuple[float, float]], end: float) -> float:
    """Trapezoids from 0 to `end`, nothing after the last positive sample."""
    last = max(at for at, level in profile if level > 0)
    area = 0.0
    for (t1, c1), (t2, c2) in pairwise(profile):
        a, b = max(t1, 0.0), min(t2, end, last)
        if a < b:
            slope = (c2 - c1) / (t2 - t1)
            area += (b - a) * (2 * c1 + slope * (a - t1) + slope * (b - t1)) / 2
    return area


# --- Proof ------------------------------------------------------------------------------------------------------


def test_the_tables_are_those_of_the_raw_rows(trial: Trial) -> None:
    house, _ = trial
    house.to(2026, 6, 10, 9)  # the window of V16 (day 90 ± 7) has closed
    _, rows = exported(house)
    expected = reckoned(rows)
    for outcome in ("sri4", "lldas", "doris"):
        table = cells(house, outcome, "&time_point=V16")
        for level in ("1", "2", "3", "all"):
            cell = table[("V16", level)]
            here = [row["subject"] for row in rows["subjects"] if level in (row["dose_level"], "all")]
            own = {subject: expected[subject][outcome] for subject in here}
            assert {one["number"]: one["value"] for one in cell["rows"]} == own, outcome
            known = [truth for truth in own.values() if truth is not None]
            assert (cell["observed"]["n"], cell["observed"]["of"]) == (sum(known), len(known))
            assert (cell["imputed"]["n"], cell["imputed"]["of"]) == (sum(known), len(own)), "unknown is none, once due"
            low, high = exact_interval(sum(known), len(known))
            assert float(cell["observed"]["ci_lower"]) == pytest.approx(low, abs=2e-6)
            assert float(cell["observed"]["ci_upper"]) == pytest.approx(high, abs=2e-6)
            assert float(cell["observed"]["proportion"]) == pytest.approx(sum(known) / len(known), abs=1e-6)
    assert len({tuple(one.values()) for one in expected.values()}) >= 5, "the example tells cases apart"


def test_kinetics_are_those_of_the_raw_rows(trial: Trial) -> None:
    house, _ = trial
    _, rows = exported(house)
    found = profiles(rows)
    highest = {subject: max(level for _, level in profile) for subject, profile in found.items()}
    for one in house.statistician.get("/subjects").json["items"]:
        (pk,) = house.statistician.get(f"/subjects/{one['id']}/outcomes?outcome=pk").json["items"]
        profile = found[one["number"]]
        assert float(pk["value"]) == highest[one["number"]]
        assert float(pk["detail"]["auc"]["linear"]["0-28"]) == pytest.approx(linear_area(profile, 28), rel=1e-9)
        assert len(pk["inputs"]) == 8
    summary = cells(house, "pk")[(None, "all")]["summary"]["cmax"]
    product = 1.0
    for level in highest.values():
        product *= level ** (1 / len(highest))
    assert float(summary["geometric_mean"]) == pytest.approx(product, rel=1e-9)
    assert (summary["n"], float(summary["maximum"])) == (18, max(highest.values()))


def test_before_the_window_has_closed_nothing_is_imputed(trial: Trial) -> None:
    house, _ = trial
    cell = cells(house, "doris", "&time_point=V16")[("V16", "all")]
    status = {one["number"]: (one["status"], one["value"], one["imputed"]) for one in cell["rows"]}
    assert status["014"] == ("left", None, False)
    assert status["015"] == ("not_yet_due", None, None)
    assert status["011"] == ("unknown", None, None)  # no PGA: it may still come
    assert Counter(cell["statuses"]) == Counter(one[0] for one in status.values())
    house.to(2026, 6, 10, 9)
    cell = cells(house, "doris", "&time_point=V16")[("V16", "all")]
    later = {one["number"]: (one["status"], one["imputed"]) for one in cell["rows"]}
    assert (later["015"], later["011"], later["014"]) == (("missing", False), ("unknown", False), ("left", False))


def test_each_figure_opens_down_to_its_inputs(trial: Trial) -> None:
    house, subjects = trial
    items = house.monitor.get(f"/subjects/{subjects[8]['id']}/outcomes?time_point=V16").json["items"]
    found = {one["measure"]: one for one in items}
    assert found["sri4"]["value"] is False
    assert {one["rule"] for one in found["sri4"]["reasons"]} >= {"sledai_not_met", "pga_not_met"}
    whats = [one["what"] for one in found["sri4"]["inputs"]]
    assert whats[:3] == ["sledai2k at V0", "pga at V0", "bilag2004 at V0"]
    assert {"sledai2k at V16", "pga at V16", "bilag2004 at V16", "treatment at V16"} <= set(whats)
    assert all(one["id"] and one["at"] for one in found["sri4"]["inputs"])
    c3 = found["c3"]
    assert [float(one) for one in (c3["detail"]["baseline"], c3["detail"]["visit"], c3["value"])] == [0.5, 0.98, 0.48]
    (b_cells,) = house.monitor.get(f"/subjects/{subjects[1]['id']}/outcomes?outcome=b_cells").json["items"]
    assert (b_cells["detail"]["first_day_below"], float(b_cells["detail"]["nadir"])) == (14, 0)
    assert b_cells["detail"]["reconstituted_on_day"] is None  # one value at or above is not two


def test_an_export_is_the_same_again_and_as_of_an_earlier_day(trial: Trial) -> None:
    house, subjects = trial
    snapshot = iso(house.now)
    first, rows = exported(house, f"?as_of={snapshot}")
    house.turn(days=1)
    value = {"id": str(uuid4()), "code": "crp", "value": 3, "unit": "mg/L", "source": "ward"}
    path = f"/subjects/{subjects[0]['id']}/measurements"
    assert house.nurse.post(path, {**value, "collected_at": iso(house.now)}).status_code == 201
    assert exported(house, f"?as_of={snapshot}")[0] == first, "to the byte"
    later, more = exported(house)
    assert later != first
    assert len(more["measurements"]) == len(rows["measurements"]) + 1
    assert exported(house)[0] == later
    with zipfile.ZipFile(io.BytesIO(later)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert {one["name"] for one in manifest["files"]} | {"manifest.json"} == set(archive.namelist())
    assert len(manifest["chains"]) == 18
    readable = json.dumps(more)
    assert "13800138" not in readable
    assert "A B" not in readable
    refused = house.nurse.get("/exports/dataset.zip")
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    future = house.statistician.get(f"/exports/dataset.zip?as_of={iso(house.now + timedelta(days=1))}")
    assert [(one["path"], one["code"]) for one in future.json["faults"]] == [("/as_of", "in_the_future")]


def test_the_command_writes_the_bytes_of_the_door(trial: Trial, tmp_path: Any) -> None:
    house, _ = trial
    file = tmp_path / "dataset.zip"
    run = house.app.test_cli_runner().invoke(args=["export", "--output", str(file), "--site", "NJ"])
    assert run.exit_code == 0, run.output
    assert file.read_bytes() == exported(house)[0]
