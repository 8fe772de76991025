"""What one subject's visits say together: SRI-4, LLDAS, DORIS and BILAG-2004, each against what came before.

Expected values by the published rules, worked out by hand; what is unknown stays so (decision 0012).
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import uuid4

import pytest

from backend.analysis import response
from backend.analysis.response import Scored, Visit
from backend.analysis.treatment import Medication, Treatment, treatment_on
from backend.instruments import sledai2k
from backend.instruments.bilag2004 import Graded
from backend.instruments.bilag_items import SYSTEMS


def scored(present: set[str], letters: dict[str, str]) -> Scored:
    visit = Visit(uuid4(), "V16", 90, datetime(2026, 3, 2, tzinfo=UTC), {"treatment": {"rescue_treatment": False}})
    bilag = {system: Graded(letters.get(system, "D"), False, (), None) for system in SYSTEMS}
    sledai = sledai2k.score(present, (), sledai2k.Labs())
    return Scored(visit, frozenset(present), frozenset(), sledai, (), Decimal(1), bilag)


@pytest.mark.parametrize(
    ("systems", "responder", "new_a"),
    [
        (SYSTEMS, False, ["ophthalmic"]),
        (tuple(one for one in SYSTEMS if one != "ophthalmic"), True, []),
    ],
)
def test_a_system_that_the_registration_leaves_out(systems: tuple[str, ...], responder: bool, new_a: list[str]) -> None:
    before, now = scored({"arthritis", "rash"}, {}), scored({"rash"}, {"ophthalmic": "A"})
    found = response.sri4_of(before, now, systems)
    assert (found.responder, list(found.new_bilag_a)) == (responder, new_a)


# --- visits by their forms ----------------------------------------------------------------------------------------

INFUSED = datetime(2026, 3, 2, 1, tzinfo=UTC)
ITEM_SYSTEMS = SYSTEMS[:7]
CALM = Treatment(Decimal(5), Decimal(5), False, "stable", True, False)
KIDNEY: Mapping[str, Any] = {
    "urine_protein_24h_g": Decimal("0.1"),
    "creatinine_umol_l": Decimal(60),
    "gfr": Decimal(100),
    "systolic_mmhg": Decimal(120),
    "diastolic_mmhg": Decimal(70),
    "accelerated_hypertension": False,
    "nephrotic_syndrome": False,
    "active_urinary_sediment": False,
    "active_nephritis_histology_3m": False,
}
BLOOD: Mapping[str, Any] = {
    "haemoglobin_g_dl": Decimal(13),
    "wbc_1e9_l": Decimal(6),
    "neutrophils_1e9_l": Decimal(4),
    "lymphocytes_1e9_l": Decimal(2),
    "platelets_1e9_l": Decimal(250),
    "ttp": 0,
    "active_haemolysis": False,
    "coombs_isolated": False,
    "attributable_to_sle": True,
}
QUIET: Mapping[str, Any] = {"present": [], "not_assessed": [], "attribution": {}}
PGA: Mapping[str, Any] = {"value": Decimal("0.4"), "scale": "0-3"}
REVIEWED: Mapping[str, Any] = {
    "medications_reviewed": True,
    "standard_stable_immunosuppression": True,
    "haemolytic_anaemia": False,
    "gastrointestinal_activity": False,
}


def graded(
    items: Mapping[str, Mapping[str, int]] | None = None,
    kidney: Mapping[str, Any] | None = KIDNEY,
    blood: Mapping[str, Any] = BLOOD,
    involved: Mapping[str, bool] | None = None,
) -> dict[str, Any]:
    """A BILAG-2004 form that is quiet but for these codes; `kidney` None: its part was left out."""
    systems: dict[str, Any] = {
        name: {"items": (items or {}).get(name, {}), "unlisted_items": 0} for name in ITEM_SYSTEMS
    }
    systems |= {"haematological": {"current": blood}} | ({} if kidney is None else {"renal": {"current": kidney}})
    known = dict.fromkeys(SYSTEMS, True) if involved is None else involved
    return {"bilag2004": {"systems": systems, "previously_involved": known}}


def sledai(*present: str, **over: Any) -> dict[str, Any]:
    return {"sledai2k": {**QUIET, "present": list(present), **over}}


def seen(day: int, *forms: Mapping[str, Any], treatment: Treatment = CALM, asked: tuple[str, ...] = ()) -> Visit:
    """One visit: SLEDAI 0, PGA 0.4, treatment reviewed, but for the forms given (None: not filled in)."""
    answers: dict[str, Any] = {"sledai2k": QUIET, "pga": PGA, "treatment": REVIEWED}
    for form in forms:
        answers |= form
    filled = {name: form for name, form in answers.items() if form is not None}
    at = INFUSED + timedelta(days=day)
    return Visit(uuid4(), f"day {day}", day, at, filled, treatment=treatment, asked=asked)


def line(*visits: Visit) -> list[Scored]:
    return response.score_all(visits, {})


def treated(*medications: Medication, reviewed: bool) -> Treatment:
    day = date(2026, 5, 31)
    return treatment_on(day, medications, reviewed=reviewed, average_days=7, stable_days=28, since=date(2026, 3, 2))


def steroid(mg: str, **over: Any) -> Medication:
    return Medication(uuid4(), "prednisolone", "steroid", date(2026, 1, 1), None, Fraction(mg), **over)


# --- treatment that nobody reviewed -------------------------------------------------------------------------------

SAID_NOTHING = {"treatment": {"medications_reviewed": False}}


@pytest.mark.parametrize(
    ("form", "treatment", "responder"),
    [
        (SAID_NOTHING, treated(reviewed=False), None),
        ({"treatment": None}, treated(reviewed=False), None),
        ({"treatment": {**SAID_NOTHING["treatment"], "rescue_treatment": False}}, treated(reviewed=False), True),
        ({"treatment": REVIEWED}, treated(reviewed=True), True),
    ],
)
def test_without_a_look_at_the_medications_rescue_is_unknown(form: Any, treatment: Treatment, responder: Any) -> None:
    """SRI-4 asks for no rescue treatment (instruments.md §4); an empty list proves nothing (decision 0012)."""
    start = seen(-5, sledai("arthritis", "rash", "alopecia"), graded(), {"pga": {"value": Decimal(2), "scale": "0-3"}})
    before, now = line(start, seen(90, graded(), form, treatment=treatment))
    found = response.sri4_of(before, now)
    assert (found.components, found.responder) == ({"sledai": True, "pga": True, "bilag": True}, responder)
    assert ("rescue_treatment_unknown" in {one.rule for one in found.reasons}) is (responder is None)


def test_a_steroid_on_an_unreviewed_list_is_no_freedom_from_drugs() -> None:
    """2.5 mg are known, whatever else was taken; whether it is at most 5 mg is not."""
    (now,) = line(seen(90, SAID_NOTHING, treatment=treated(steroid("2.5"), reviewed=False)))
    found = response.doris_of(now)
    assert (found.criteria["prednisolone_le_5"], found.doris) == (None, None)
    assert (found.drug_free, found.drug_free_doris) == (False, False)
    (nothing,) = line(seen(90, SAID_NOTHING, treatment=treated(reviewed=False)))
    assert response.doris_of(nothing).drug_free is None
