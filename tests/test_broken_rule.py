"""A rule that breaks costs nobody a report: it is stored, the other rules speak, and people are told to look."""

from dataclasses import replace

import pytest
import sqlalchemy as sa
from house import House
from test_main_thread import rota

from backend import studies
from backend.db import transaction
from backend.models.capture import Entry
from backend.models.safety import Evaluation, Signal
from backend.models.study import StudyRevision
from backend.safety import codec
from backend.safety.evaluate import evaluate
from backend.safety.rules.base import CATALOGUE
from schedules.protocol.definition import Study


def breaking(monkeypatch: pytest.MonkeyPatch, *rules: str) -> None:
    def broken(*_: object) -> None:
        raise KeyError("an answer that must not be quoted")

    for rule in rules:
        monkeypatch.setitem(CATALOGUE, rule, replace(CATALOGUE[rule], function=broken))


def test_the_report_is_stored_the_others_speak_and_the_broken_one_pages(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = house.patient_of(house.infused(days_ago=6))
    rota(house, ("on_call", "doctor", -1, 12), ("backup", "backup", -1, 12))
    breaking(monkeypatch, "R10")
    sent = house.report(patient, {"temp_c": 38.1})
    assert sent.status_code == 201, sent.text
    levels = {one["rule"]: one["level"] for one in sent.json["signals"]}
    assert (levels["R10"], levels["R11"]) == ("EMERGENCY", "URGENT")
    assert len(house.rows(sa.select(Entry))) == 1
    signal = next(one for one in house.rows(sa.select(Signal)) if one.rule == "R10")
    assert signal.inputs["error"] == "KeyError"
    assert "quoted" not in str(signal.inputs) + signal.sentence_en + signal.sentence_zh
    assert {page["to"] for page in house.pages()} == {house.doctor.phone, house.backup.phone}
    context = codec.from_json(house.rows(sa.select(Evaluation))[0].context)
    study = _study(house)
    again = next(one for one in evaluate(context, study.rules, enduring=True) if one.rule == "R10")
    assert (again.level, again.sentence_zh) == (signal.found_level, signal.sentence_zh)


def test_a_broken_rule_neither_raises_nor_lowers_the_others(
    sqlite_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = sqlite_house
    patient = house.patient_of(house.infused(days_ago=6))
    breaking(monkeypatch, "R15", "S8")  # R15 would raise every fever by one level; S8 is a note
    levels = {one["rule"]: one["level"] for one in house.report(patient, {"temp_c": 38.1}).json["signals"]}
    assert (levels["R11"], levels["R15"], levels["S8"]) == ("URGENT", "URGENT", "REVIEW")


def _study(house: House) -> Study:
    revision = house.rows(sa.select(StudyRevision.id))[0]
    with house.app.app_context(), transaction(writes=False):
        return studies.revision(revision)
