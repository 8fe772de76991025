"""The answers of each scored form of a visit, checked with the path of every fault before they are stored."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma

from api.fields import Body, Flag, Keyed, Text, Word
from api.scoring import BilagInput, CrsInput, IcansInput, PgaInput, YesNo, check_descriptors, descriptors
from backend.instruments import bilag_items, sledai2k

CAUSES = ("lupus", "treatment", "infection", "crs", "drug", "other")


class SledaiForm(Body):
    """`attribution`: the cause of what is marked; where treatment may explain it, it counts only if that is lupus."""

    present = descriptors()
    not_assessed = descriptors()
    attribution = Keyed(keys=Word(*sledai2k.WEIGHTS), values=Word(*CAUSES), load_default=dict)

    @ma.validates_schema(skip_on_field_errors=False, pass_original=True)
    def check(self, data: dict[str, Any], sent: Any, **_: Any) -> None:
        if isinstance(sent, dict):
            check_descriptors(sent, ("present", "not_assessed"))


class BilagForm(Body):
    """`systems`: each as the scoring contract has it, without its name; a system left out was not done.

    Renal values of the visit before are taken from there, not sent.
    """

    systems = Keyed(keys=Word(*bilag_items.SYSTEMS), values=ma.fields.Dict(), required=True)
    previously_involved = Keyed(keys=Word(*bilag_items.SYSTEMS), values=YesNo(), load_default=dict)

    @ma.validates_schema(skip_on_field_errors=False)
    def check(self, data: dict[str, Any], **_: Any) -> None:
        faults: dict[str, Any] = {}
        for system, given in (data.get("systems") or {}).items():
            strange = [name for name in ("system", "previous", "previously_involved") if name in given]
            found = BilagInput().validate({**{k: v for k, v in given.items() if k not in strange}, "system": system})
            found = {**found, **{name: ["Unknown field."] for name in strange}}
            if found:
                faults[system] = found
        if faults:
            raise ma.ValidationError({"systems": faults})

    @ma.post_load
    def load_systems(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        kept = ("items", "unlisted_items", "current")
        systems = {}
        for system, given in data["systems"].items():
            loaded = BilagInput().load({**given, "system": system})
            systems[system] = {name: loaded[name] for name in kept if name in given}
            if "current" in systems[system] and given.get("current"):
                sent = given["current"]
                systems[system]["current"] = {name: loaded["current"][name] for name in sent}
        return {**data, "systems": systems}


class TreatmentForm(Body):
    """What the list of medications cannot say: that it was reviewed, stability as judged, rescue, and two organs that
    SLEDAI-2K does not hold."""

    medications_reviewed = Flag(required=True)
    standard_stable_immunosuppression = Flag(allow_none=True, load_default=None)
    rescue_treatment = Flag(allow_none=True, load_default=None)
    haemolytic_anaemia = Flag(allow_none=True, load_default=None)
    gastrointestinal_activity = Flag(allow_none=True, load_default=None)
    note = Text(most=1000, allow_none=True, load_default=None)


ANSWERS: Mapping[str, type[Body]] = {
    "sledai2k": SledaiForm,
    "pga": PgaInput,
    "bilag2004": BilagForm,
    "treatment": TreatmentForm,
    "crs": CrsInput,
    "icans": IcansInput,
}
