"""Eighteen subjects from screening to month 3 through the doors: scored, measured, treated, with adverse events."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from house import House, iso

from tests.outcomes.events import record
from tests.trial.desk import visit

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
    """Copies of the CAR on eight days; B cells, CRP and C3 before and after."""
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
    for days, level in ((-11, 4), (1, 30 + 5 * n), (7, 90 + n), (28, 6)):
        add("crp", days, level, "mg/L")
    add("c3", -11, 0.5, "g/L")
    add("c3", 89, 90 + n, "mg/dL")
    answer = house.nurse.post(f"/subjects/{subject['id']}/measurements", items)
    assert answer.status_code == 201, answer.text


def harm(house: House, n: int, subject: Mapping[str, Any]) -> None:
    """Adverse events of months 0 to 3 by hand; and some that do not belong to the table."""
    later = {"outcome": "recovered", "serious": False}

    def had(term: str, soc: str, grade: int, day: float, **over: Any) -> dict[str, Any]:
        onset = subject["infused"] + timedelta(days=day)
        said = {"onset_at": onset, "ended_at": onset + timedelta(days=2), **later, **over}
        return record(house, subject, by="doctor", term=term, soc=soc, grade=grade, **said)

    if n % 3 == 0:
        had("Neutrophil count decreased", "investigations", 4, 8)
        had("Neutrophil count decreased", "investigations", 3, 30)
    if n % 2 == 0:
        had(
            "Cytokine release syndrome", "immune", 1 + n % 4 // 2, 6, special_interest="crs", related_product="definite"
        )
    if n == 7:
        had("Pneumonia", "infections", 3, 60, serious=True, seriousness=["hospitalisation"], dlt="suspected")
    had("Headache", "nervous_system", 1, -1)  # before infusion
    if n == 9:
        gone = had("Nausea", "gastrointestinal", 1, 10)
        change = {"void": True, "reason": "of somebody else"}
        assert house.doctor.patch(f"/adverse-events/{gone['id']}", change, gone["revision"]).status_code == 200


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
        harm(house, n, subject)
    return subjects
