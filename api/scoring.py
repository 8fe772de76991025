"""The JSON of every instrument: what goes in, checked with the path of each fault, and what comes out.

Used by `POST /scoring/…`, by `flask score` and by the visit forms. An absent key means the same as null, unknown.
"""

from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any, ClassVar

import marshmallow as ma
from marshmallow import validate

from api.fields import Body, Flag, Keyed, Number, Text, Whole, Word
from backend.analysis.change import Change
from backend.analysis.pharmacokinetics import Kinetics
from backend.instruments import astct, bilag2004, bilag_items, ctcae, doris, lldas, pga, sledai2k, sri4, steroids, units
from backend.scoring import INSTRUMENTS, Converted

MOST_SAMPLES = 500
_DESCRIPTORS = tuple(sledai2k.WEIGHTS)


class YesNo(Flag):
    """true or false; the letters Y and N of the printed forms are taken too."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        return (
            {"Y": True, "N": False}[value] if value in ("Y", "N") else super()._deserialize(value, attr, data, **kwargs)
        )


def _number(**kwargs: Any) -> Number:
    return Number(allow_none=True, load_default=None, **kwargs)


def _amount(most: str = "1e9") -> Number:
    """A quantity, never negative."""
    return _number(least="0", most=most)


def _yes_no() -> YesNo:
    return YesNo(allow_none=True, load_default=None)


def _word(*words: str) -> Word:
    return Word(*words, allow_none=True, load_default=None)


def descriptors() -> ma.fields.List[Any]:
    most = validate.Length(max=len(_DESCRIPTORS))
    return ma.fields.List(Word(*_DESCRIPTORS), allow_none=True, load_default=None, validate=most)


def _refuse(path: str, place: Any, sentence: str) -> ma.ValidationError:
    return ma.ValidationError({path: {place: [sentence]}} if place is not None else {path: [sentence]})


def check_descriptors(sent: Any, *pairs: tuple[str, str]) -> None:
    """Each descriptor once, and not both present and not assessed; of what was sent, whose places are right."""
    faults: dict[str, Any] = {}
    for pair in pairs:
        present, unseen = (sent[name] if isinstance(sent.get(name), list) else [] for name in pair)
        for name, some in zip(pair, (present, unseen), strict=True):
            twice = {i: ["Twice in one list."] for i, one in enumerate(some) if one in _DESCRIPTORS and one in some[:i]}
            faults |= {name: twice} if twice else {}
        known = {i: one for i, one in enumerate(unseen) if one in _DESCRIPTORS}
        if both := {i: ["Contradicts another answer."] for i, one in known.items() if one in present}:
            faults[pair[1]] = {**faults.get(pair[1], {}), **both}
    if faults:
        raise ma.ValidationError(faults)


class SledaiLabs(Body):
    urine_protein_24h_g = _amount()
    upcr_mg_per_mmol = _amount()
    platelets_1e9_per_l = _amount()
    wbc_1e9_per_l = _amount()
    temperature_c = _number(least="25", most="45")
    urine_rbc_per_hpf = _amount()
    urine_wbc_per_hpf = _amount()
    c3_g_per_l = _amount()
    c3_lln_g_per_l = _amount()
    c4_g_per_l = _amount()
    c4_lln_g_per_l = _amount()
    anti_dsdna_iu_ml = _amount()
    anti_dsdna_uln_iu_ml = _amount()


class SledaiInput(Body):
    present = descriptors()
    not_assessed = descriptors()
    labs = ma.fields.Nested(SledaiLabs, allow_none=True, load_default=None)

    @ma.validates_schema(skip_on_field_errors=False, pass_original=True)
    def check(self, data: dict[str, Any], sent: Any, **_: Any) -> None:
        if isinstance(sent, dict):
            check_descriptors(sent, ("present", "not_assessed"))


class Code(ma.fields.Field[Any]):
    """A code of a BILAG item: 0 to 4, or "ND"."""

    default_error_messages = {"code": "Must be one of: 0, 1, 2, 3, 4, ND."}  # noqa: RUF012

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if value == bilag2004.NOT_DONE:
            return value
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 4:
            raise self.make_error("code")
        return value


class RenalValues(Body):
    urine_protein_24h_g = _amount()
    upcr_mg_per_mmol = _amount()
    acr_mg_per_mmol = _amount()
    dipstick_level = Whole(least=0, most=4, allow_none=True, load_default=None)
    creatinine_umol_l = _amount()
    gfr = _amount()
    systolic_mmhg = _amount("400")
    diastolic_mmhg = _amount("300")
    accelerated_hypertension = _yes_no()
    nephrotic_syndrome = _yes_no()
    active_urinary_sediment = _yes_no()
    active_nephritis_histology_3m = _yes_no()


class HaematologicalValues(Body):
    haemoglobin_g_dl = _amount("40")
    wbc_1e9_l = _amount()
    neutrophils_1e9_l = _amount()
    lymphocytes_1e9_l = _amount()
    platelets_1e9_l = _amount()
    ttp = Whole(least=0, most=4, allow_none=True, load_default=None)
    active_haemolysis = _yes_no()
    coombs_isolated = _yes_no()
    attributable_to_sle = YesNo(allow_none=True, load_default=True)


def _item_number() -> ma.fields.String:
    numbers = [str(number) for number in bilag_items.ITEMS]
    return ma.fields.String(validate=validate.OneOf(numbers, error="Must be one of the items, 1 to 97."))


class BilagInput(Body):
    """Codes for the seven item systems, values for renal and haematological."""

    system = Word(*bilag_items.SYSTEMS, required=True)
    previously_involved = _yes_no()
    items = Keyed(keys=_item_number(), values=Code(allow_none=True), allow_none=True, load_default=None)
    unlisted_items = Code(allow_none=True, load_default=None)
    current = ma.fields.Dict(allow_none=True, load_default=None)
    previous = ma.fields.Dict(allow_none=True, load_default=None)

    @ma.validates_schema(skip_on_field_errors=False)
    def check(self, data: dict[str, Any], **_: Any) -> None:
        system = data.get("system")
        if system is None:
            return
        coded = system in bilag_items.CODED
        strange = ["current", "previous"] if coded else ["items", "unlisted_items"]
        if system == "haematological":
            strange.append("previous")
        faults: dict[str, Any] = {name: ["Unknown field."] for name in strange if data.get(name) is not None}
        numbers = {str(number) for number in bilag_items.NUMBERS[system]}
        foreign = [item for item in data.get("items") or {} if item not in numbers]
        if coded and foreign:
            faults["items"] = {item: ["Must be one of the items of the system."] for item in foreign}
        schema = {"renal": RenalValues, "haematological": HaematologicalValues}.get(system)
        for name in ("current", "previous"):
            if schema is not None and name not in faults and data.get(name) is not None:
                found = schema().validate(data[name])
                faults |= {name: found} if found else {}
        if faults:
            raise ma.ValidationError(faults)

    @ma.post_load
    def load_values(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        schema = {"renal": RenalValues, "haematological": HaematologicalValues}.get(data["system"])
        loaded = {
            name: schema().load(data[name]) for name in ("current", "previous") if schema and data[name] is not None
        }
        return {**data, **loaded}


class BilagTotalInput(Body):
    grades = Keyed(keys=Word(*bilag_items.SYSTEMS), values=Word(*bilag2004.GRADES, allow_none=True), required=True)


class PgaInput(Body):
    value = _number(least="0", most="100")
    scale = _word(*pga.SCALES)

    @ma.validates_schema(skip_on_field_errors=False)
    def check(self, data: dict[str, Any], **_: Any) -> None:
        value, scale = data.get("value"), data.get("scale")
        if value is not None and scale is not None and value > pga.SCALES[scale]:
            raise _refuse("value", None, f"Must be less than or equal to {pga.SCALES[scale]}.")


class SriState(Body):
    sledai_2k = Whole(least=0, most=sledai2k.MAXIMUM, allow_none=True, load_default=None)
    pga = _amount("3")
    bilag = Keyed(
        keys=Word(*bilag_items.SYSTEMS),
        values=Word(*bilag2004.GRADES, allow_none=True),
        allow_none=True,
        load_default=None,
    )


class SriInput(Body):
    baseline = ma.fields.Nested(SriState, allow_none=True, load_default=None)
    visit = ma.fields.Nested(SriState, allow_none=True, load_default=None)
    prohibited_or_rescue_treatment = YesNo(allow_none=True, load_default=False)


class SteroidDose(Body):
    """`mg_per_day`, or `mg` every `every_days` days."""

    drug = Word(*steroids.EQUAL_TO_5_MG, *steroids.NOT_COUNTED, required=True)
    mg_per_day = _amount("100000")
    mg = _amount("100000")
    every_days = _number(least="0.01", most="400")

    @ma.validates_schema(skip_on_field_errors=False)
    def check(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("mg_per_day") is not None and any(data.get(name) is not None for name in ("mg", "every_days")):
            raise _refuse("mg", None, "Contradicts another answer.")


def _steroids() -> ma.fields.List[Any]:
    length = validate.Length(max=50)
    return ma.fields.List(ma.fields.Nested(SteroidDose), allow_none=True, load_default=None, validate=length)


class _Composite(Body):
    """What LLDAS and DORIS share."""

    _pairs: ClassVar = [("sledai_present", "sledai_not_assessed")]
    sledai_present = descriptors()
    sledai_not_assessed = descriptors()
    pga = _amount("3")
    prednisolone_mg_per_day = _amount("100000")
    glucocorticoids = _steroids()

    @ma.validates_schema(skip_on_field_errors=False, pass_original=True)
    def check_lists(self, data: dict[str, Any], sent: Any, **_: Any) -> None:
        if isinstance(sent, dict):
            check_descriptors(sent, *self._pairs)

    @ma.validates_schema(skip_on_field_errors=False)
    def check_dose(self, data: dict[str, Any], **_: Any) -> None:
        if all(data.get(name) is not None for name in ("prednisolone_mg_per_day", "glucocorticoids")):
            raise _refuse("glucocorticoids", None, "Contradicts another answer.")


class LldasInput(_Composite):
    _pairs: ClassVar = [*_Composite._pairs, ("previous_visit_sledai_present", "previous_visit_sledai_not_assessed")]
    previous_visit_sledai_present = descriptors()
    previous_visit_sledai_not_assessed = descriptors()
    haemolytic_anaemia = _yes_no()
    gastrointestinal_activity = _yes_no()
    standard_stable_immunosuppression = _yes_no()
    new_bilag_activity = YesNo(allow_none=True, load_default=False)


class DorisInput(_Composite):
    antimalarial = _yes_no()
    immunosuppressant_or_biologic = _word(*doris.TREATMENTS)


class PkInput(Body):
    time = ma.fields.List(Number(least="-400", most="4000"), required=True, validate=validate.Length(max=MOST_SAMPLES))
    conc = ma.fields.List(Number(least="0", most="1e15", allow_none=True), allow_none=True, load_default=None)
    blq = ma.fields.List(YesNo(allow_none=True), allow_none=True, load_default=None)
    not_done = ma.fields.List(YesNo(allow_none=True), allow_none=True, load_default=None)
    units = Text(most=40, allow_none=True, load_default=None)
    windows = ma.fields.List(
        ma.fields.List(Number(least="0", most="4000"), validate=validate.Length(equal=2)),
        allow_none=True,
        load_default=None,
        validate=validate.Length(max=20),
    )
    middle_blq = Word("drop", "zero", allow_none=True, load_default="drop")

    @ma.validates_schema(skip_on_field_errors=False, pass_original=True)
    def check(self, data: dict[str, Any], sent: Any, **_: Any) -> None:
        """Of what was sent, whose places are right even where a value is not."""
        if not isinstance(sent, dict):
            return
        lists = {name: sent[name] for name in ("time", "conc", "blq", "not_done") if isinstance(sent.get(name), list)}
        times = lists.get("time", [])
        wrong = [name for name, some in lists.items() if "time" in lists and len(some) != len(times)]
        faults: dict[str, Any] = {name: [f"Length must be {len(times)}."] for name in wrong}
        twice = {i: ["Twice in one list."] for i, one in enumerate(times) if _is_number(one) and one in times[:i]}
        faults |= {"time": twice} if twice else {}
        windows = sent["windows"] if isinstance(sent.get("windows"), list) else []
        pairs = {i: one for i, one in enumerate(windows) if isinstance(one, list) and len(one) == 2}
        whole = {i: one for i, one in pairs.items() if all(map(_is_number, one))}
        empty = {i: {1: ["Must be greater than the start."]} for i, (start, end) in whole.items() if start >= end}
        faults |= {"windows": empty} if empty else {}
        if faults:
            raise ma.ValidationError(faults)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


class ConversionInput(Body):
    """Just one of these."""

    upcr_mg_per_g = _amount()
    upcr_mg_per_mmol = _amount()
    c3_mg_per_dl = _amount()
    c4_mg_per_dl = _amount()
    haemoglobin_g_per_l = _amount()
    creatinine_mg_per_dl = _amount()
    glucocorticoids = _steroids()

    @ma.validates_schema(skip_on_field_errors=False, pass_original=True)
    def check(self, data: dict[str, Any], sent: Any, **_: Any) -> None:
        if not isinstance(sent, dict):
            return
        asked = sorted(name for name, value in sent.items() if value is not None and name in self.fields)
        if not asked:
            raise ma.ValidationError("Missing data for required field.")
        if len(asked) > 1:
            raise ma.ValidationError({name: ["Contradicts another answer."] for name in asked[1:]})


class ReadingInput(Body):
    value = _number(least="-1e15", most="1e15")
    qualifier = _word("<", ">", "")


class ChangeInput(Body):
    baseline = ma.fields.Nested(ReadingInput, allow_none=True, load_default=None)
    visit = ma.fields.Nested(ReadingInput, allow_none=True, load_default=None)


class CrsInput(Body):
    fever = _yes_no()
    fever_masked = _yes_no()
    hypotension = _word(*astct.HYPOTENSION)
    hypoxia = _word(*astct.HYPOXIA)


class IcansInput(Body):
    ice = Whole(least=0, most=astct.ICE_MAXIMUM, allow_none=True, load_default=None)
    consciousness = _word(*astct.CONSCIOUSNESS)
    seizure = _word(*astct.SEIZURE)
    motor_weakness = _yes_no()
    raised_icp = _word(*astct.RAISED_ICP)


class CtcaeInput(Body):
    """Limits and baseline stand in the value's unit."""

    version = Word(*ctcae.VERSIONS, allow_none=True, load_default=ctcae.VERSIONS[0])
    term = Word(*ctcae.TERMS, required=True)
    value = _amount("1e12")
    unit = Text(most=40, allow_none=True, load_default=None)
    lln = _amount("1e12")
    uln = _amount("1e12")
    baseline = _amount("1e12")

    @ma.validates_schema(skip_on_field_errors=False)
    def check(self, data: dict[str, Any], **_: Any) -> None:
        unit, term = data.get("unit"), data.get("term")
        if unit is not None and term is not None and units.factor(term, units.ucum(unit), ctcae.UNITS[term]) is None:
            raise _refuse("unit", None, f"Not a unit of this value: {', '.join(units.accepted(term))}.")
        if data.get("uln") == 0:
            raise _refuse("uln", None, "Must be greater than 0.")


# instrument → (what goes in, the dataclass that comes out)
CONTRACTS: Mapping[str, tuple[type[Body], type[Any]]] = {
    "sledai2k": (SledaiInput, sledai2k.Sledai),
    "bilag2004": (BilagInput, bilag2004.Graded),
    "bilag2004_total": (BilagTotalInput, bilag2004.Total),
    "pga": (PgaInput, pga.Assessment),
    "sri4": (SriInput, sri4.Response),
    "lldas": (LldasInput, lldas.LowActivity),
    "doris": (DorisInput, doris.Remission),
    "pk": (PkInput, Kinetics),
    "conversion": (ConversionInput, Converted),
    "change_from_baseline": (ChangeInput, Change),
    "crs": (CrsInput, astct.Grade),
    "icans": (IcansInput, astct.Grade),
    "ctcae": (CtcaeInput, ctcae.Grade),
}


def score(instrument: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to input that its schema has loaded."""
    return asdict(INSTRUMENTS[instrument](**given))
