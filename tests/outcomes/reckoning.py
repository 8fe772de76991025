"""The trial's tables once more, from the rows of the exported dataset alone: a short reckoning in floats that knows
nothing of the server's code."""

import csv
import io
import json
import zipfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from math import comb
from typing import Any

WEIGHTS = {
    "arthritis": 4,
    "proteinuria": 4,
    "rash": 2,
    "alopecia": 2,
    "low_complement": 2,
    "increased_dna_binding": 2,
    "vasculitis": 8,
}
READINGS = (
    "sri4",
    "lldas",
    "lldas_registration",
    "lldas_registration_without_serology",
    "doris",
    "doris_drug_free",
    "doris_registration",
)
SEROLOGY = {"low_complement", "increased_dna_binding"}
POINTS = {"A": 12, "B": 8, "C": 1, "D": 0}

Rows = dict[str, list[dict[str, str]]]
Truth = bool | None


def tables_of(archive: bytes) -> Rows:
    """Every table of an exported dataset."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {
            name.removesuffix(".csv"): list(csv.DictReader(io.StringIO(opened.read(name).decode(), newline="")))
            for name in opened.namelist()
            if name.endswith(".csv")
        }


def forms(rows: Rows, key: str) -> dict[str, dict[str, Any]]:
    """Of each subject the last revision of every form of a visit."""
    found: dict[str, dict[str, Any]] = {row["subject"]: {} for row in rows["subjects"]}
    for row in rows["assessments"]:
        if row["visit_key"] == key:
            found[row["subject"]][row["instrument"]] = json.loads(row["answers"])
    return found


def reckoned(rows: Rows) -> dict[str, dict[str, Truth]]:
    """SRI-4, LLDAS and DORIS of each subject at V16, from assessments and medications alone."""
    steroid = {row["subject"]: float(row["dose_mg"]) * float(row["times_per_day"]) for row in rows["medications"]}
    before, now = forms(rows, "V0"), forms(rows, "V16")
    found = {}
    for subject, seen in now.items():
        if "sledai2k" not in seen:
            found[subject] = dict.fromkeys(READINGS)
            continue
        mg = steroid.get(subject, 0.0) if seen["treatment"]["medications_reviewed"] else None
        found[subject] = responses(before[subject], seen, mg)
    return found


def changes(rows: Rows) -> dict[str, dict[str, float | None]]:
    """Change at V16 of SLEDAI-2K, PGA, the BILAG-2004 total and C3; None where either is not known."""
    before, now = forms(rows, "V0"), forms(rows, "V16")
    c3: dict[str, list[float]] = {subject: [] for subject in now}
    for row in sorted(rows["measurements"], key=lambda row: row["collected_at"]):
        if row["code"] == "c3":
            c3[row["subject"]].append(float(row["value"]))
    found: dict[str, dict[str, float | None]] = {}
    for subject, seen in now.items():
        was = before[subject]
        sledai, pga, bilag = seen.get("sledai2k"), seen.get("pga"), seen.get("bilag2004")
        known = sledai is not None and not sledai["not_assessed"]
        first, last = c3[subject]
        found[subject] = {
            "sledai2k": weight(sledai) - weight(was["sledai2k"]) if known else None,
            "pga": round(pga["value"] - was["pga"]["value"], 6) if pga else None,
            "bilag2004": total(bilag) - total(was["bilag2004"]) if bilag else None,
            "c3": round(last - first, 6),
        }
    return found


def weight(form: Mapping[str, Any]) -> int:
    return sum(WEIGHTS[one] for one in form["present"])


def total(form: Mapping[str, Any]) -> int:
    return sum(POINTS[letter] for letter in letters(form))


def responses(before: Mapping[str, Any], now: Mapping[str, Any], mg: float | None) -> dict[str, Truth]:
    present, was = set(now["sledai2k"]["present"]), set(before["sledai2k"]["present"])
    unseen = bool(now["sledai2k"]["not_assessed"])
    most = weight(before["sledai2k"]) - weight(now["sledai2k"])  # what it can have fallen by: everything unseen absent,
    least = most - sum(WEIGHTS[one] for one in now["sledai2k"]["not_assessed"])  # or present
    score, clinical = (sum(WEIGHTS[one] for one in some) for some in (present, present - SEROLOGY))
    pga = now["pga"]["value"] if "pga" in now else None
    major = bool(present & {"proteinuria", "vasculitis"})
    pairs = list(zip(letters(before["bilag2004"]), letters(now["bilag2004"]), strict=True))
    new_a = any(new == "A" != old for old, new in pairs)
    new_b = sum(new == "B" and old in "CDE" for old, new in pairs)
    stable = None if mg is None else True
    sri4 = [
        True if least >= 4 else False if most < 4 else None,
        None if pga is None else round(pga - before["pga"]["value"], 6) < 0.3,
        not new_a and new_b <= 1,
        None
        if mg is None and now["treatment"]["rescue_treatment"] is None
        else not now["treatment"]["rescue_treatment"],
    ]
    new = present - was
    others = [
        None if pga is None else pga <= 1,
        None if mg is None else mg <= 7.5,
        stable,
    ]
    low, low_clinical = (False if sum_ > 4 or major else None if unseen else True for sum_ in (score, clinical))
    registered = [
        False if clinical else None if unseen else True,
        None if pga is None else pga < 0.5,
        None if mg is None else mg <= 5,
    ]
    return {
        "sri4": three(sri4),
        "lldas": three([low, not new, *others]),
        "lldas_registration": three([low, not new, *others]),  # kidney and vessels are on both lists of organs
        "lldas_registration_without_serology": three([low_clinical, not new - SEROLOGY, *others]),
        "doris": three([*registered, stable]),
        "doris_registration": three(registered),
        "doris_drug_free": three([*registered, stable, None if mg is None else mg == 0]),
    }


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


def courses(rows: Rows, code: str) -> dict[str, list[tuple[int, float]]]:
    """(study day, value) of each subject, in order; days are dates in Shanghai, counted from infusion."""

    def on(text: str) -> Any:
        return (datetime.fromisoformat(text) + timedelta(hours=8)).date()

    infused = {row["subject"]: on(row["infused_at"]) for row in rows["subjects"]}
    found: dict[str, list[tuple[int, float]]] = {subject: [] for subject in infused}
    for row in sorted(rows["measurements"], key=lambda row: row["collected_at"]):
        if row["code"] == code:
            day = (on(row["collected_at"]) - infused[row["subject"]]).days
            found[row["subject"]].append((day, float(row["value"])))
    return found


def harmed(rows: Rows) -> dict[tuple[str, str], dict[str, int]]:
    """(level, term) → subjects, events, serious, by worst grade, of what began on days 0 to 90 after infusion."""
    level = {row["subject"]: row["dose_level"] for row in rows["subjects"]}
    infused = {row["subject"]: row["infused_at"] for row in rows["subjects"]}
    worst: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    found: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows["adverse_events"]:
        subject, onset = row["subject"], datetime.fromisoformat(row["onset_at"])
        began = datetime.fromisoformat(infused[subject])
        if not began <= onset < began + timedelta(days=90):
            continue
        key = (level[subject], row["term"])
        found[key]["events"] += 1
        found[key]["serious"] += row["serious"] == "true"
        worst[key][subject] = max(worst[key].get(subject, 0), int(row["grade"]))
    for key, grades in worst.items():
        found[key]["subjects"] = len(grades)
        for grade in grades.values():
            found[key][f"grade_{grade}"] += 1
    return found
