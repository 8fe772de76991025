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


# --- LLDAS: nothing new since the assessments before --------------------------------------------------------------

NEW = "2_no_new_activity"


def low_activity(*visits: Visit) -> Any:
    """LLDAS of the last visit, against the assessments before it."""
    *earlier, now = line(*visits)
    return response.lldas_of(earlier, now)


def test_a_descriptor_left_open_at_the_visit_before_is_not_new_for_sure() -> None:
    """Not assessed, or marked without the cause that had to be said (instruments.md §1, CAR-T trap)."""
    unseen = low_activity(seen(60, sledai(not_assessed=["alopecia"])), seen(90, sledai("alopecia")))
    assert (unseen.criteria[NEW], unseen.lldas) == (None, None)
    asked = ("leukopenia",)
    lupus = sledai("leukopenia", attribution={"leukopenia": "lupus"})
    unsaid = low_activity(seen(28, sledai("leukopenia"), asked=asked), seen(60, lupus, asked=asked))
    assert (unsaid.criteria[NEW], unsaid.lldas) == (None, None)
    treatment = sledai("leukopenia", attribution={"leukopenia": "treatment"})
    absent = low_activity(seen(28, treatment, asked=asked), seen(60, lupus, asked=asked))
    assert (absent.criteria[NEW], absent.lldas) == (False, False)


SCLERITIS = graded({"ophthalmic": {"72": 4}})  # a severe scleritis that is new: A


@pytest.mark.parametrize(
    ("at_90", "at_150", "at_180", "expected"),
    [
        (graded(), {}, SCLERITIS, False),  # none on day 150: against day 90
        (SCLERITIS, {}, SCLERITIS, True),
        (graded(), SCLERITIS, SCLERITIS, True),
        (SCLERITIS, graded(), SCLERITIS, False),
        ({}, {}, SCLERITIS, None),  # nothing to compare an A with
        ({}, {}, graded(), True),  # D everywhere, whatever it was before
        (graded(), {}, {}, True),  # day 150 asks for none, and so it is not asked about
    ],
)
def test_new_bilag_activity_is_new_since_the_last_bilag(at_90: Any, at_150: Any, at_180: Any, expected: Any) -> None:
    """Oon 2019: no new BILAG activity. The visits on days 120 and 150 take SLEDAI-2K without BILAG-2004."""
    found = low_activity(seen(90, at_90), seen(150, at_150), seen(180, at_180))
    assert (found.criteria[NEW], found.lldas) == (expected, expected)


def test_descriptors_are_compared_with_the_last_sledai() -> None:
    bare = {"sledai2k": None, "pga": None}
    found = low_activity(seen(60, sledai("rash")), seen(70, bare, graded()), seen(90, sledai("rash"), graded()))
    assert found.criteria[NEW] is True
    first = low_activity(seen(90))
    assert (first.criteria[NEW], first.lldas) == (None, None)


@pytest.mark.parametrize(
    ("haemolysis", "cause", "asked", "expected"),
    [
        (True, {"attributable_to_sle": True}, (), False),
        (True, {"attributable_to_sle": False}, (), True),
        (True, {"attributable_to_sle": None}, (), None),
        (True, {}, (), False),  # of lupus unless said otherwise
        (True, {}, ("leukopenia",), None),  # but not where treatment may be the cause
        (False, {}, ("leukopenia",), True),
        (None, {"attributable_to_sle": True}, (), None),
    ],
)
def test_haemolysis_counts_where_lupus_is_its_cause(haemolysis: Any, cause: Any, asked: Any, expected: Any) -> None:
    """Franklyn 2016: no haemolytic anaemia, as activity of lupus."""
    blood = {name: value for name, value in BLOOD.items() if name != "attributable_to_sle"}
    unsaid = {"treatment": {**REVIEWED, "haemolytic_anaemia": None}}
    form = graded(blood={**blood, "active_haemolysis": haemolysis, **cause})
    found = low_activity(seen(60, form, asked=asked), seen(90, form, unsaid, asked=asked))
    assert found.criteria["1_sledai_le_4_no_major_organ"] is expected


# --- BILAG-2004: what the assessments before have left ------------------------------------------------------------


def kidney(grams: str) -> dict[str, Any]:
    return {**KIDNEY, "urine_protein_24h_g": Decimal(grams)}


@pytest.mark.parametrize("between", [None, {}, dict.fromkeys(KIDNEY)])
def test_a_form_without_the_kidney_leaves_the_values_before(between: Any) -> None:
    """Isenberg 2005: 1.2 g after 4.0 g have fallen by 70 %, improved, C; without a value before they are severe, B."""
    visits = [
        seen(0, graded(kidney=kidney("4.0"))),
        seen(28, graded(kidney=between)),
        seen(60, graded(kidney=kidney("1.2"))),
    ]
    grades = [one.bilag["renal"].grade for one in line(*visits) if one.bilag is not None]
    assert grades == ["B", "D", "C"]


@pytest.mark.parametrize(
    ("first", "later", "grade"),
    [({}, {"mucocutaneous": False}, "D"), ({"mucocutaneous": True}, {"mucocutaneous": False}, "D"), ({}, {}, "D")],
)
def test_a_system_that_was_active_is_never_again_one_that_was_not(first: Any, later: Any, grade: str) -> None:
    """Isenberg 2005: D is no activity in a system once involved, E in one that never was."""
    severe = graded({"mucocutaneous": {"5": 4}}, involved=first)
    before, now = line(seen(0, severe), seen(28, graded(involved=later)))
    assert before.bilag is not None
    assert now.bilag is not None
    assert (before.bilag["mucocutaneous"].grade, now.bilag["mucocutaneous"].grade) == ("A", grade)


def test_a_system_that_was_never_involved_stays_so() -> None:
    (only,) = line(seen(0, graded(involved={"mucocutaneous": False})))
    assert only.bilag is not None
    assert (only.bilag["mucocutaneous"].grade, only.bilag["ophthalmic"].grade) == ("E", None)


def total_of(form: Mapping[str, Any]) -> Any:
    (only,) = line(seen(90, form))
    return response.bilag_total(only)


def test_of_an_assessment_in_which_nothing_was_done_there_is_no_total() -> None:
    """Yee 2010 sums grades that are known; D of items not done may be any grade."""
    done = total_of(graded({"mucocutaneous": {"5": 1}}))  # a severe eruption that improves: B, 8
    assert (done.numeric_total, done.minimum_known_total, done.count["B"], done.count["D"]) == (8, 8, 1, 8)
    nothing = {"systems": {}, "previously_involved": dict.fromkeys(SYSTEMS, True)}
    undone = total_of({"bilag2004": nothing})
    assert (undone.numeric_total, undone.minimum_known_total) == (None, 0)
    partly = graded({"mucocutaneous": {"5": 1, "7": "ND"}})  # the angio-oedema might be A
    assert (total_of(partly).numeric_total, total_of(partly).minimum_known_total) == (None, 8)


def test_d_and_e_are_both_nothing_so_that_a_total_needs_no_history() -> None:
    found = total_of(graded(involved={}))
    assert (found.numeric_total, found.minimum_known_total) == (0, 0)


# --- SRI-4: a SLEDAI-2K that is known within bounds ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "unseen_before", "now", "unseen_now", "expected"),
    [
        (("arthritis", "rash", "seizure"), ["urinary_casts"], (), [], True),  # 14 to 18, then 0: fallen by 14 and more
        (("arthritis", "rash"), ["urinary_casts"], ("rash",), ["fever"], None),  # 6 to 10, then 2 to 3: by 3 to 8
        (("arthritis", "rash"), [], ("fever",), ["leukopenia"], True),  # 6, then 1 to 2: by 4 at the least
        (("arthritis", "rash"), [], ("fever",), ["rash"], None),  # 6, then 1 to 3
        (("arthritis",), [], ("arthritis",), ["rash"], False),  # 4, then 4 to 6
        (("arthritis",), ["fever"], ("rash",), [], False),  # 4 to 5, then 2: by 3 at the most
        (("rash",), ["fever"], (), [], False),  # 2 to 3: below 4 whatever it was
        (("fever",), ["rash"], (), ["rash"], False),
    ],
)
def test_bounds_that_settle_the_fall_of_sledai(
    before: Any, unseen_before: Any, now: Any, unseen_now: Any, expected: Any
) -> None:
    """Furie 2009: a fall of 4 or more. What is not assessed can add its weight and no more (instruments.md §1, §7)."""
    start, end = line(
        seen(-5, sledai(*before, not_assessed=unseen_before), graded()),
        seen(90, sledai(*now, not_assessed=unseen_now), graded()),
    )
    found = response.sri4_of(start, end)
    assert (found.components["sledai"], found.responder) == (expected, expected)
    told = "baseline_sledai_below_4" in {one.rule for one in found.reasons}
    assert told is ("arthritis" not in before)


def test_no_sledai_is_anything_between_the_least_and_the_most() -> None:
    start, end = line(seen(-5, sledai("arthritis"), graded()), seen(90, {"sledai2k": {"present": None}}, graded()))
    assert response.sri4_of(start, end).components["sledai"] is None
    start, end = line(seen(-5, {"sledai2k": None}, graded()), seen(90, sledai(), graded()))
    assert response.sri4_of(start, end).components["sledai"] is None
