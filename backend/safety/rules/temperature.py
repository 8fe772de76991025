"""What a thermometer reading amounts to, by site (clinical-safety §2.2): definite, repeated, probable, watch. Pure.

Readings are compared after rounding to one decimal, halves up; 38.0 counts. The raw value is kept as given and
never converted between sites. Limits: `settings["fever"]`, °C by site; the entry `default` serves a site that
is unknown, the strictest limit where there is no such entry.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from backend.safety.context import Context, Reading
from backend.safety.rules.base import round_half_up
from backend.safety.rules.evidence import minutes, scale, temperature

DEFINITE, REPEATED, PROBABLE, WATCH = "definite", "repeated", "probable", "watch"


def limit(context: Context, kind: str, site: str | None) -> Decimal | None:
    """From how many °C a reading at this site is `kind`; None where the study has no such limit for the site."""
    limits: Mapping[str, Any] = context.settings["fever"][kind]
    chosen = limits.get(site or "default", limits.get("default"))
    if chosen is None and kind != WATCH:
        chosen = min(limits.values())
    return None if chosen is None else Decimal(str(chosen))


def at_least(context: Context, reading: Reading | None, kind: str) -> bool:
    """Whether the reading, rounded as a thermometer is read, reaches the site's limit of this kind."""
    if reading is None:
        return False
    lowest = limit(context, kind, reading.site)
    return lowest is not None and round_half_up(reading.value) >= lowest


def is_repeat(context: Context, reading: Reading, among: Sequence[Reading] | None = None) -> Reading | None:
    """The probable-or-higher reading at the same site that this one repeats, 10 to 90 minutes earlier.

    An unknown site is taken for the same one: the safer reading. `among` spares collecting all readings again.
    """
    soonest, latest = (minutes(context.settings["fever"][key]) for key in ("repeat_from_min", "repeat_to_min"))
    for earlier in reversed(context.temperatures() if among is None else among):
        if reading.at - earlier.at > latest:
            break
        same_site = earlier.site == reading.site or None in (earlier.site, reading.site)
        if same_site and reading.at - earlier.at >= soonest and at_least(context, earlier, PROBABLE):
            return earlier
    return None


def state(context: Context, reading: Reading | None, among: Sequence[Reading] | None = None) -> str | None:
    """definite, repeated (probable twice), probable (for the first time), watch, or None: no fever or none taken."""
    if reading is None:
        return None
    if at_least(context, reading, DEFINITE):
        return DEFINITE
    if at_least(context, reading, PROBABLE):
        return REPEATED if is_repeat(context, reading, among) else PROBABLE
    return WATCH if at_least(context, reading, WATCH) else None


def definite_fever(context: Context) -> Reading | None:
    """The temperature under evaluation if it is a definite fever."""
    reading = temperature(context)
    return reading if at_least(context, reading, DEFINITE) else None


def fever(context: Context) -> Reading | None:
    """The temperature under evaluation if it counts as fever: definite, or probable and repeated or with chills."""
    reading = temperature(context)
    found = state(context, reading)
    if found in (DEFINITE, REPEATED):
        return reading
    chills = scale(context, "chills", context.settings["fever"]["with_chills_from"])
    return reading if found == PROBABLE and chills else None


def fevers(context: Context) -> list[Reading]:
    """Every reading up to now that was a fever by itself or by its repeat, oldest first."""
    readings = context.temperatures()
    return [each for each in readings if state(context, each, readings) in (DEFINITE, REPEATED)]
