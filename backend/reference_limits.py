"""Reference limits by performing laboratory: written down once, taken where a value names the laboratory without any.

A laboratory that changes its limits gets further rows with the day they are valid from. Limits that come with a value
(those for a sex or an age, say) always hold before the list; what a stored value was given with never changes.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import audit, clock, records, repeats, studies
from backend.chronicle import site_zone
from backend.db import db
from backend.errors import invalid
from backend.instruments import units
from backend.models.clinical import ReferenceLimit
from backend.models.study import Site
from schedules.faults import Fault
from schedules.protocol.definition import Study
from schedules.windows import local_date

_SAID = ("laboratory", "code", "unit", "lln", "uln", "valid_from")


def record(site: Site, items: Sequence[Mapping[str, Any]], by: UUID) -> list[tuple[ReferenceLimit, bool]]:
    """Store all of a list or, with every fault named, none: id and _SAID each. (row, whether it is new).

    The last one recorded holds for its laboratory, code and day.
    """
    records.refuse_locked_database()
    study = studies.revision(site.study_revision_id)
    items = [{**item, "unit": units.ucum(item["unit"])} for item in items]
    faults = [fault for i, item in enumerate(items) for fault in _faults(study, item, f"/{i}")]
    ids = [item["id"] for item in items]
    faults.extend(Fault(f"/{i}/id", "duplicate", "twice in one list") for i, x in enumerate(ids) if x in ids[:i])
    days = [(item["laboratory"], item["code"], item["valid_from"]) for item in items]
    faults.extend(
        Fault(f"/{i}/valid_from", "duplicate", "two limits from one day on")
        for i, x in enumerate(days)
        if x in days[:i]
    )
    if faults:
        raise invalid(*faults)
    return [_stored(site, item, by) for item in items]


def _stored(site: Site, item: Mapping[str, Any], by: UUID) -> tuple[ReferenceLimit, bool]:
    said = {name: item.get(name) for name in _SAID}
    known = repeats.stored(ReferenceLimit, item["id"], site_id=site.id, **said)
    if known is not None:
        return known, False
    row = ReferenceLimit(id=item["id"], site_id=site.id, recorded_at=clock.now(), recorded_by=by, **said)
    db.session.add(row)
    db.session.flush()
    audit.record("reference_limit:recorded", "reference_limit", row.id, new=said)
    return row, True


def _faults(study: Study, item: Mapping[str, Any], path: str) -> Iterable[Fault]:
    measure = study.measures.get(item["code"])
    if measure is None:
        yield Fault(f"{path}/code", "not_allowed", "the study has no such measurement")
    elif units.factor(measure.code, item["unit"], measure.unit) is None:
        taken = ", ".join(units.accepted(measure.code, measure.unit))
        yield Fault(f"{path}/unit", "wrong_unit", f"{measure.code} is given in {taken}")
    lln, uln = item.get("lln"), item.get("uln")
    if lln is None and uln is None:
        yield Fault(f"{path}/uln", "required", "a lower limit, an upper limit, or both")
    yield from limit_faults(lln, uln, path)


def limit_faults(lln: Decimal | None, uln: Decimal | None, path: str) -> Iterable[Fault]:
    """What is wrong with a pair of limits: of what is measured here nothing lies below 0, and a grade is a multiple of
    the upper limit."""
    if lln is not None and lln < 0:
        yield Fault(f"{path}/lln", "out_of_range", "a lower limit cannot lie below 0")
    if uln is not None and uln <= 0:
        yield Fault(f"{path}/uln", "out_of_range", "an upper limit lies above 0")
    elif lln is not None and uln is not None and lln >= uln:
        yield Fault(f"{path}/uln", "out_of_range", "the upper limit must lie above the lower")


def put_in(study: Study, site_id: UUID, items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Items in the study's units; those that name a laboratory and give no limit get that laboratory's of their day.

    `limits_listed` marks them.
    """
    wanting = [one for one in items if _wants(one)]
    if not wanting:
        return list(items)
    listed = _listed(site_id, {one["laboratory"] for one in wanting}, {one["code"] for one in wanting})
    zone = site_zone(site_id)
    return [_with_limits(study, listed, zone, one) if _wants(one) else one for one in items]


def _wants(item: Mapping[str, Any]) -> bool:
    return bool(item.get("laboratory")) and item.get("lln") is None and item.get("uln") is None


def _listed(site_id: UUID, laboratories: set[str], codes: set[str]) -> Mapping[tuple[str, str], list[ReferenceLimit]]:
    found: dict[tuple[str, str], list[ReferenceLimit]] = {}
    rows = db.session.scalars(
        sa.select(ReferenceLimit)
        .where(
            ReferenceLimit.site_id == site_id,
            ReferenceLimit.laboratory.in_(laboratories),
            ReferenceLimit.code.in_(codes),
        )
        .order_by(ReferenceLimit.valid_from, ReferenceLimit.recorded_at, ReferenceLimit.id)
    )
    for row in rows:
        found.setdefault((row.laboratory, row.code), []).append(row)
    return found


def _with_limits(
    study: Study, listed: Mapping[tuple[str, str], list[ReferenceLimit]], zone: str, item: Mapping[str, Any]
) -> Mapping[str, Any]:
    day = local_date(item["collected_at"], zone)
    rows = [row for row in listed.get((item["laboratory"], item["code"]), ()) if row.valid_from <= day]
    if not rows:
        return item
    row = rows[-1]
    measure = study.measures.get(row.code)
    by = units.factor(row.code, row.unit, measure.unit) if measure is not None else None
    if by is None:
        return item  # the subject's revision has no such measure, or one in a unit that these limits do not convert to
    return {**item, "lln": _times(row.lln, by), "uln": _times(row.uln, by), "limits_listed": True}


def _times(limit: Decimal | None, by: Decimal) -> Decimal | None:
    return None if limit is None else limit if by == 1 else units.rounded(limit * by)
