"""Patients who report over HTTP and a team that answers them: what every module of this folder speaks in.

patient = at_day(house, 6)                              infused six days ago, with an activated phone
patient.send(quick(temp_c=38.0))                        {"R11": "URGENT"}: what the answer said, by rule id
patient.values(("ferritin", 12000))                     the same for measurements that staff type
patient.open_signals(), patient.stored()                what stands in the open episode; in the database
with_baseline(house, 2, day=6)                          patients with a normal of their own, from before infusion
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from house import SLE, WELL, House, Person, entry_body, iso
from werkzeug.test import TestResponse

from backend import strictjson, studies
from backend.db import transaction
from backend.models.safety import Evaluation, Signal
from backend.safety import codec
from backend.safety.evaluate import evaluate
from schedules.protocol.definition import LEVELS
from schedules.protocol.load import load_study

STUDY = load_study(SLE)
NO_TEMPERATURE = {"temp_c": None, "temp_site": None}
DAILY: dict[str, Any] = {
    "steroid_taken": 0,
    **dict.fromkeys(("palps", "headache", "tremor", "rash", "joints", "bleeding", "oedema", "cough"), 0),
    **dict.fromkeys(("vomit_24h", "diarrhoea_24h", "fatigue", "malaise", "myalgia"), 0),
    **dict.fromkeys(("chest_pain", "writing", "seizure_weak"), "no"),
    "urine": ["normal"],
    "sore_uti": ["none"],
    "fluids_kept": "yes",
    "intake": "yes",
}
NOT_WEEKLY = ("tremor", "malaise", "myalgia", "intake", "writing")
WEEKLY = {**WELL, **{item: well for item, well in DAILY.items() if item not in NOT_WEEKLY}}
NEURO = {
    "neuro_finished": "yes",
    **{f"neuro_{item}": 1 for item in ("year", "month", "city", "hospital", "command", "writing", "counting")},
    "neuro_naming": 3,
}

Sent = tuple[str, dict[str, Any]]
Found = dict[str, str]  # rule id: level


def quick(**answers: Any) -> Sent:
    return "quick", {**WELL, **answers}


def daily(**answers: Any) -> Sent:
    return "daily", {**DAILY, **answers}


def weekly(**answers: Any) -> Sent:
    return "weekly", {**WEEKLY, **answers}


def neuro(score: int = 10, **answers: Any) -> Sent:
    """A neuro check of this score; what is lost is lost from naming first, then item by item."""
    lost, given = 10 - score, dict(NEURO)
    for item in ("neuro_naming", *(key for key in NEURO if key not in ("neuro_finished", "neuro_naming"))):
        taken = min(lost, given[item])
        given[item], lost = given[item] - taken, lost - taken
    return "neuro", {**given, **answers}


UNFINISHED: Sent = ("neuro", {"neuro_finished": "could_not_finish"})


def worst(lines: list[dict[str, Any]]) -> Found:
    """The highest level of each rule."""
    found: Found = {}
    for line in lines:
        found[line["rule"]] = max(found.get(line["rule"], LEVELS[0]), line["level"], key=LEVELS.index)
    return found


def paracetamol(taken_at: datetime, mg: int = 500) -> list[dict[str, Any]]:
    return [{"name": "paracetamol", "dose_mg": mg, "taken_at": iso(taken_at)}]


@dataclass
class Patient:
    house: House
    subject: Mapping[str, Any]
    phone: Person

    @property
    def path(self) -> str:
        return f"/subjects/{self.subject['id']}"

    def ago(self, **delta: float) -> datetime:
        return self.house.now - timedelta(**delta)

    def put(self, sent: Sent, who: Person | None = None, **over: Any) -> TestResponse:
        """Send one entry from the phone; `over` replaces parts of the body (measured_at, sent_at, practice …)."""
        reporter = who or self.phone
        body = {**entry_body(self.house, reporter, form=sent[0], **over), "answers": sent[1]}
        return reporter.put(f"/me/entries/{uuid4()}", body)

    def taken(self, sent: Sent, who: Person | None = None, **over: Any) -> dict[str, Any]:
        """The whole answer to one entry that must be accepted."""
        answer = self.put(sent, who, **over)
        assert answer.status_code == 201, answer.text
        return dict(answer.json)

    def send(self, *forms: Sent, **over: Any) -> Found:
        """Send the forms of one sitting; what all the answers said."""
        return worst([signal for sent in forms for signal in self.taken(sent, **over)["signals"]])

    def on_behalf(self, sent: Sent, source: str = "telephone", **over: Any) -> Found:
        """The nurse enters a report for the patient."""
        body = {**entry_body(self.house, self.house.nurse, form=sent[0], **over), "answers": sent[1]}
        body |= {"id": str(uuid4()), "source": source}
        answer = self.house.nurse.post(f"{self.path}/entries", body)
        assert answer.status_code == 201, answer.text
        return worst(answer.json["signals"])

    def values(self, *items: tuple[Any, ...], at: datetime | None = None) -> Found:
        """Staff type measurements, all taken at one time: (code, value, further parts)."""
        body = [
            {
                "id": str(uuid4()),
                "code": code,
                "value": value,
                "unit": STUDY.measures[code].unit,
                "source": "laboratory",
                "collected_at": iso(at or self.house.now),
                **(rest[0] if rest else {}),
            }
            for code, value, *rest in items
        ]
        answer = self.house.nurse.post(f"{self.path}/measurements", body)
        assert answer.status_code == 201, answer.text
        return worst(answer.json["signals"])

    def medicine(self, drug: str, started_at: datetime, **over: Any) -> None:
        body = {"id": str(uuid4()), "drug": drug, "started_at": started_at, "stopped_at": started_at, **over}
        answer = self.house.doctor.post(f"{self.path}/medications", {name: iso(given) for name, given in body.items()})
        assert answer.status_code == 201, answer.text

    def open_episode(self) -> dict[str, Any] | None:
        """The subject's open episode as the doctor sees it."""
        listed = self.house.doctor.get(f"/episodes?subject_id={self.subject['id']}").json["items"]
        still = [episode for episode in listed if episode["state"] != "closed"]
        return dict(self.house.doctor.get(f"/episodes/{still[0]['id']}").json) if still else None

    def open_signals(self) -> Found:
        episode = self.open_episode()
        return worst(episode["signals"]) if episode else {}

    def stored(self) -> Found:
        """Everything signalled so far; notes outside any episode too."""
        rows = self.house.rows(sa.select(Signal).where(Signal.subject_id == UUID(self.subject["id"])))
        return worst([{"rule": row.rule, "level": row.level} for row in rows])

    def answer(self, kind: str, by: str = "doctor") -> dict[str, Any]:
        """Accept, contact or see, knowing everything signalled so far."""
        episode = self.open_episode()
        assert episode is not None
        body = {"id": str(uuid4()), "kind": kind, "seen_signal_seq": episode["last_seq"]}
        answer = self.house.people[by].post(f"/episodes/{episode['id']}/acknowledgements", body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json)

    def close(self, **content: Any) -> None:
        """The doctor closes the open episode."""
        episode = self.open_episode()
        assert episode is not None
        body = {"outcome": "none", **content}
        answer = self.house.doctor.post(
            f"/episodes/{episode['id']}/close", body, **{"If-Match": f'"{episode["version"]}"'}
        )
        assert answer.status_code == 200, answer.text


_numbers = iter(range(1, 10**6))


def at_day(house: House, day: float, hours: float = 0, **over: Any) -> Patient:
    """A patient whose infusion took place `day` days and `hours` ago; nothing is known from before it."""
    subject = house.infused(days_ago=day + hours / 24, number=f"{next(_numbers):03}", **over)
    return Patient(house, subject, house.patient_of(subject))


def not_infused(house: House, **over: Any) -> Patient:
    subject = house.enrol(number=f"{next(_numbers):03}", **over)
    return Patient(house, subject, house.patient_of(subject))


BASELINE_TEMPERATURES = (36.4, 36.5, 36.6, 36.5, 36.4, 36.6)
BASELINE = {"hr": 70, "sbp": 120, "dbp": 80, "spo2": 98}


def with_baseline(
    house: House,
    count: int = 2,
    day: float = 6,
    before: Mapping[str, Any] | None = None,
    usual: Mapping[str, Any] | None = None,
    score: int = 10,
    **over: Any,
) -> list[Patient]:
    """Patients who reported for a day before infusion: armpit 36.5 °C (n = 6), pulse 70, 120/80, SpO2 98 %, neuro
    check `score` in 40 s; one daily form with the answers `before`, quick ones with `usual`. It is then day `day`,
    09:00."""
    patients = [not_infused(house, **over) for _ in range(count)]
    for n, degrees in enumerate(BASELINE_TEMPERATURES):
        for patient in patients:
            assert patient.send(quick(temp_c=degrees, **BASELINE, **(usual or {}))) == {}
            if n == 0:
                patient.send(daily(**(before or {})), neuro(score, neuro_seconds=40))
        house.turn(hours=4)
    for patient in patients:
        house.event(patient.subject, "infusion", actual_at=house.now)
    house.turn(days=day)
    return patients


def replay(house: House) -> int:
    """Evaluate every kept context again and find each signal as it was stored. Returns how many there were."""
    signals = house.rows(sa.select(Signal))
    contexts = {row.id: row for row in house.rows(sa.select(Evaluation))}
    with house.app.app_context(), transaction(writes=False):
        rules = {row.study_revision_id: studies.revision(row.study_revision_id).rules for row in contexts.values()}
    again = {
        row.id: {found.rule: found for found in evaluate(codec.from_json(row.context), rules[row.study_revision_id])}
        for row in contexts.values()
    }
    for signal in signals:
        found = again[signal.evaluation_id].get(signal.rule)
        assert found is not None, f"{signal.rule} does not replay"
        assert _said(signal, signal.found_level, signal.rule_version) == _said(found, found.level, found.version)
    return len(signals)


def _said(what: Any, level: str, version: int) -> dict[str, Any]:
    named = ("organ", "red_flag", "asks", "sentence_zh", "sentence_en")
    documents = ("compatible_with", "inputs", "thresholds", "drives")
    return {
        "level": level,
        "version": version,
        **{name: getattr(what, name) for name in named},
        **{name: strictjson.canonical(getattr(what, name)) for name in documents},
    }
