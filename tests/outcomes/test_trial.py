"""The trial's tables of the eighteen against the reckoning from the exported raw rows; their figures; the export."""

import io
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from statistics import fmean, median, stdev
from typing import Any
from uuid import uuid4

import databases
import pytest
from furnishing import furnished
from house import HandClock, House, iso

from backend import trial as trial_tables
from backend.db import transaction
from tests.outcomes import reckoning
from tests.outcomes.eighteen import played
from tests.outcomes.events import summary
from tests.outcomes.reckoning import Rows, exact_interval, linear_area, profiles, reckoned
from tests.outcomes.sheets import value

Trial = tuple[House, list[dict[str, Any]]]
LEVELS = ("1", "2", "3", "all")


@pytest.fixture(params=databases.KINDS)
def trial(request: pytest.FixtureRequest, time: HandClock) -> Iterator[Trial]:
    """The same on both databases; played once, then copied."""
    with furnished(request.param, time, played) as house:
        yield house, house.made


def cells(house: House, outcome: str, query: str = "") -> dict[tuple[str, str], dict[str, Any]]:
    """(measure, dose level) → the figure."""
    answer = house.statistician.get(f"/outcomes?outcome={outcome}{query}")
    assert answer.status_code == 200, answer.text
    return {(one["measure"], one["dose_level"]): one for one in json.loads(answer.text)["items"]}


def exported(house: House, query: str = "") -> tuple[bytes, Rows]:
    answer = house.statistician.get(f"/exports/dataset.zip{query}")
    assert answer.status_code == 200, answer.text
    return answer.data, reckoning.tables_of(answer.data)


def test_the_tables_are_those_of_the_raw_rows(trial: Trial) -> None:
    house, _ = trial
    house.to(2026, 6, 10, 9)  # the window of V16 (day 90 ± 7) has closed
    _, rows = exported(house)
    expected = reckoned(rows)
    for measure in reckoning.READINGS:
        table = cells(house, measure.split("_")[0], "&time_point=V16")
        for level in LEVELS:
            cell = table[(measure, level)]
            here = [row["subject"] for row in rows["subjects"] if level in (row["dose_level"], "all")]
            own = {subject: expected[subject][measure] for subject in here}
            assert {one["number"]: one["value"] for one in cell["rows"]} == own, measure
            known = [truth for truth in own.values() if truth is not None]
            assert (cell["observed"]["n"], cell["observed"]["of"]) == (sum(known), len(known))
            assert (cell["imputed"]["n"], cell["imputed"]["of"]) == (sum(known), len(own)), "unknown is none, once due"
            low, high = exact_interval(sum(known), len(known))
            assert float(cell["observed"]["ci_lower"]) == pytest.approx(low, abs=2e-6)
            assert float(cell["observed"]["ci_upper"]) == pytest.approx(high, abs=2e-6)
            assert float(cell["observed"]["proportion"]) == pytest.approx(sum(known) / len(known), abs=1e-6)
    assert len({tuple(one.values()) for one in expected.values()}) >= 5, "the example tells cases apart"


def test_changes_are_those_of_the_raw_rows(trial: Trial) -> None:
    house, _ = trial
    _, rows = exported(house)
    expected = reckoning.changes(rows)
    level_of = {row["subject"]: row["dose_level"] for row in rows["subjects"]}
    for outcome, measure in (
        ("sledai2k", "sledai2k"),
        ("pga", "pga"),
        ("bilag2004", "bilag2004"),
        ("complement", "c3"),
    ):
        table = cells(house, outcome, "&time_point=V16")
        for level in LEVELS:
            own = {s: one[measure] for s, one in expected.items() if level in (level_of[s], "all")}
            cell = table[(measure, level)]
            assert {one["number"]: one["value"] for one in cell["rows"]} == own, measure
            known = [change for change in own.values() if change is not None]
            found = cell["summary"]["absolute_change"]
            assert (found["n"], found["minimum"], found["maximum"]) == (len(known), min(known), max(known))
            assert (found["mean"], found["median"]) == (pytest.approx(fmean(known)), pytest.approx(median(known)))
            assert found["sd"] == pytest.approx(stdev(known))


def test_b_cells_and_crp_are_those_of_the_raw_rows(trial: Trial) -> None:
    house, _ = trial
    house.to(2026, 6, 10, 9)  # the last sample's window has closed
    _, rows = exported(house)
    counts, crp = reckoning.courses(rows, "b_cells"), reckoning.courses(rows, "crp")
    cell = cells(house, "b_cells")[("b_cells", "all")]
    below = {number: next(day for day, count in course if day > 0 and count < 10) for number, course in counts.items()}
    assert {one["number"]: one["value"] for one in cell["rows"]} == below
    assert cell["summary"]["last_pct_of_baseline"]["maximum"] == pytest.approx(25 / 90 * 100)
    cell = cells(house, "cytokines")[("crp", "all")]
    peaks = {number: max((value, -day) for day, value in course if day >= 0) for number, course in crp.items()}
    assert {one["number"]: one["value"] for one in cell["rows"]} == {n: peak for n, (peak, _) in peaks.items()}
    assert cell["summary"]["peak_day"]["median"] == median(-day for _, day in peaks.values())
    assert cell["summary"]["fold_change"]["maximum"] == pytest.approx(max(peak for peak, _ in peaks.values()) / 4)


def test_adverse_events_are_those_of_the_raw_rows(trial: Trial) -> None:
    house, _ = trial
    house.to(2026, 6, 10, 9)  # the last sample's window has closed
    _, rows = exported(house)
    expected = reckoning.harmed(rows)
    found = {(one["dose_level"], one["term"]): one for one in summary(house, by="statistician")["items"]}
    assert set(found) == set(expected)
    for key, own in expected.items():
        line = found[key]
        assert [line[name] for name in ("subjects", "events", "serious")] == [
            own[name] for name in ("subjects", "events", "serious")
        ]
        assert line["by_grade"] == {str(grade): own[f"grade_{grade}"] for grade in range(1, 6)}
    assert ("1", "Headache") not in found, "it began before infusion"
    cell = cells(house, "adverse_events")[("adverse_events", "all")]
    assert sum(one["value"] for one in cell["rows"]) == sum(own["events"] for own in expected.values())


def test_kinetics_are_those_of_the_raw_rows(trial: Trial) -> None:
    house, _ = trial
    house.to(2026, 6, 10, 9)  # the last sample's window has closed
    _, rows = exported(house)
    found = profiles(rows)
    highest = {subject: max(level for _, level in profile) for subject, profile in found.items()}
    for one in house.statistician.get("/subjects").json["items"]:
        (pk,) = house.statistician.get(f"/subjects/{one['id']}/outcomes?outcome=pk").json["items"]
        profile = found[one["number"]]
        assert float(pk["value"]) == highest[one["number"]]
        assert float(pk["detail"]["auc"]["linear"]["0-28"]) == pytest.approx(linear_area(profile, 28), rel=1e-9)
        assert len(pk["inputs"]) == 8
    summary_of = cells(house, "pk")[("car_copies", "all")]["summary"]["cmax"]
    product = 1.0
    for level in highest.values():
        product *= level ** (1 / len(highest))
    assert float(summary_of["geometric_mean"]) == pytest.approx(product, rel=1e-9)
    assert (summary_of["n"], float(summary_of["maximum"])) == (18, max(highest.values()))


def test_what_the_study_file_decides_otherwise(trial: Trial) -> None:
    """The definition that is primary, the method of the areas, imputation, the systems of the registration."""
    house, _ = trial
    house.to(2026, 6, 10, 9)
    with house.app.app_context(), transaction(writes=False):
        some = trial_tables.gathered([house.site_id])
        otherwise = {
            "lldas_doris_definition": "registration",
            "auc_method": "linear",
            "sri4_non_responder_imputation": "none",
            "bilag2004_registration_systems": ("renal", "haematological"),
        }
        changed = [replace(one, study=replace(one.study, analysis={**one.study.analysis, **otherwise})) for one in some]
        before, after = (
            {(cell.measure, cell.dose_level): cell for cell in trial_tables.table(each, time_point=None)
             if cell.time_point in (None, "V16")}
            for each in (some, changed)
        )  # fmt: skip
    primary = {measure for (measure, _), cell in after.items() if cell.primary}
    assert {"lldas_registration", "doris_registration", "sri4", "c3"} <= primary
    assert not {"lldas", "doris", "doris_drug_free", "sri4_registration"} & primary
    assert before[("lldas", "all")].primary
    assert ("sri4_registration", "all") not in before, "all nine systems: there is nothing beside"
    assert after[("sri4_registration", "all")].subjects == 18
    assert before[("sri4", "all")].imputed.of == 18
    assert after[("sri4", "all")].imputed.of == 0
    areas = [cells[("car_copies", "all")].summary for cells in (before, after)]
    assert areas[0]["auc_0-28"].mean < areas[1]["auc_0-28"].mean, "falling lines lie above falling logarithms"
    assert areas[0]["auc_0-90_to_visit"].n == 18


def test_before_the_window_has_closed_nothing_is_imputed(trial: Trial) -> None:
    house, _ = trial
    cell = cells(house, "doris", "&time_point=V16")[("doris", "all")]
    status = {one["number"]: (one["status"], one["value"], one["imputed"]) for one in cell["rows"]}
    assert status["014"] == ("left", None, False)
    assert status["015"] == ("not_yet_due", None, None)
    assert status["011"] == ("unknown", None, None)  # no PGA: it may still come
    assert Counter(cell["statuses"]) == Counter(one[0] for one in status.values())
    house.to(2026, 6, 10, 9)
    cell = cells(house, "doris", "&time_point=V16")[("doris", "all")]
    later = {one["number"]: (one["status"], one["imputed"]) for one in cell["rows"]}
    assert (later["015"], later["011"], later["014"]) == (("missing", False), ("unknown", False), ("left", False))


def test_a_course_that_still_runs_is_shown_and_not_counted(trial: Trial) -> None:
    """On day 90 a sample may still come; of who has left, none will."""
    house, _ = trial
    found = cells(house, "pk")[("car_copies", "all")]
    assert found["statuses"] == {"observed": 1, "running": 17}
    assert all(one["value"] is not None for one in found["rows"])
    assert found["summary"]["cmax"]["n"] == 1
    house.to(2026, 6, 10, 9)
    found = cells(house, "pk")[("car_copies", "all")]
    assert (found["statuses"], found["summary"]["cmax"]["n"]) == ({"observed": 18}, 18)


def test_each_figure_opens_down_to_its_inputs(trial: Trial) -> None:
    house, subjects = trial
    items = house.monitor.get(f"/subjects/{subjects[8]['id']}/outcomes?time_point=V16").json["items"]
    found = {one["measure"]: one for one in items}
    assert found["sri4"]["value"] is False
    assert {one["rule"] for one in found["sri4"]["reasons"]} >= {"sledai_not_met", "pga_not_met"}
    whats = [one["what"] for one in found["sri4"]["inputs"]]
    assert whats[:3] == ["sledai2k at V0", "pga at V0", "bilag2004 at V0"]
    assert {"sledai2k at V16", "pga at V16", "bilag2004 at V16", "treatment at V16"} <= set(whats)
    assert all(one["id"] and one["at"] for one in found["sri4"]["inputs"])
    c3 = found["c3"]
    assert [float(one) for one in (c3["detail"]["baseline"], c3["detail"]["visit"], c3["value"])] == [0.5, 0.98, 0.48]
    (b_cells,) = house.monitor.get(f"/subjects/{subjects[1]['id']}/outcomes?outcome=b_cells").json["items"]
    assert (b_cells["detail"]["first_day_below"], float(b_cells["detail"]["nadir"])) == (14, 0)
    assert b_cells["detail"]["reconstituted_on_day"] is None  # one value at or above is not two


def test_an_export_is_the_same_again_and_as_of_an_earlier_day(trial: Trial) -> None:
    house, subjects = trial
    snapshot = iso(house.now)
    first, rows = exported(house, f"?as_of={snapshot}")
    house.turn(days=1)
    value = {"id": str(uuid4()), "code": "crp", "value": 3, "unit": "mg/L", "source": "ward"}
    path = f"/subjects/{subjects[0]['id']}/measurements"
    assert house.nurse.post(path, {**value, "collected_at": iso(house.now)}).status_code == 201
    assert exported(house, f"?as_of={snapshot}")[0] == first, "to the byte"
    later, more = exported(house)
    assert later != first
    assert len(more["measurements"]) == len(rows["measurements"]) + 1
    assert exported(house)[0] == later
    with zipfile.ZipFile(io.BytesIO(later)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert {one["name"] for one in manifest["files"]} | {"manifest.json"} == set(archive.namelist())
    assert len(manifest["chains"]) == 18
    readable = json.dumps(more)
    assert "13800138" not in readable
    assert "A B" not in readable
    refused = house.nurse.get("/exports/dataset.zip")
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    future = house.statistician.get(f"/exports/dataset.zip?as_of={iso(house.now + timedelta(days=1))}")
    assert [(one["path"], one["code"]) for one in future.json["faults"]] == [("/as_of", "in_the_future")]


def test_the_command_writes_the_bytes_of_the_door(trial: Trial, tmp_path: Any) -> None:
    house, _ = trial
    file = tmp_path / "dataset.zip"
    run = house.app.test_cli_runner().invoke(args=["export", "--output", str(file), "--site", "NJ"])
    assert run.exit_code == 0, run.output
    assert file.read_bytes() == exported(house)[0]


# --- Samples that no profile can be made of -----------------------------------------------------------------------


def copies(house: House, subject: Any, *samples: tuple[float, Any, str]) -> list[str]:
    """CAR copies so many days after infusion, with a qualifier; the ids."""
    infused = datetime.fromisoformat(house.nurse.get(f"/subjects/{subject['id']}").json["infused_at"])
    return [
        value(house, subject, "car_copies", number, qualifier=sign, collected_at=infused + timedelta(days=days))["id"]
        for days, number, sign in samples
    ]


def kinetics(house: House, subject: Any) -> dict[str, Any]:
    (found,) = house.monitor.get(f"/subjects/{subject['id']}/outcomes?outcome=pk").json["items"]
    return dict(found)


def test_two_samples_of_one_time_make_no_profile_until_somebody_chooses(sqlite_house: House) -> None:
    """Duplicate times: reject or require a choice (instruments.md §9.2). The choice is a correction to not done."""
    house, subject = sqlite_house, sqlite_house.infused(days_ago=20)
    ids = copies(house, subject, (0, 50, "<"), (10, 9000, ""), (10, 120, ""), (14, 50, "<"))
    found = kinetics(house, subject)
    assert (found["status"], found["value"], found["detail"]) == ("unknown", None, {})
    assert found["reasons"] == [{"rule": "two_samples_of_one_time", "values": {"day": 10, "ids": sorted(ids[1:3])}}]
    assert {one["id"] for one in found["inputs"]} == set(ids)
    figure = cells(house, "pk")[("car_copies", "all")]
    assert (figure["statuses"], figure["summary"]) == ({"unknown": 1}, {})
    gone = {"qualifier": "", "not_done": True, "corrects_id": ids[2], "reason": "another tube"}
    value(house, subject, "car_copies", None, collected_at=found["inputs"][1]["at"], **gone)
    found = kinetics(house, subject)
    assert (found["status"], found["value"], found["reasons"]) == ("running", 9000, [])


def test_above_the_assays_limit_neither_the_time_of_the_peak_nor_the_fall_is_claimed(sqlite_house: House) -> None:
    """Two samples above 9000: which is the peak nobody knows, and the fall begins from an unknown height."""
    house, subject = sqlite_house, sqlite_house.infused(days_ago=100)
    copies(house, subject, (7, 9000, ">"), (10, 9000, ">"), (14, 4000, ""), (20, 1000, ""), (28, 100, ""), (40, 5, ""))
    detail = kinetics(house, subject)["detail"]
    assert (detail["cmax"], detail["cmax_0_28"]) == (9000, 9000)
    silent = ("tmax", "tmax_0_28", "clast", "tlast", "lambda_z", "half_life", "terminal")
    assert {name: detail[name] for name in silent} == dict.fromkeys(silent)


def test_a_value_beyond_the_assay_bounds_the_peak_and_is_no_number(sqlite_house: House) -> None:
    """Above 9000, Cmax and areas are at least what 9000 makes them: shown, and averaged with nobody's."""
    house, subject = sqlite_house, sqlite_house.infused(days_ago=100)
    ids = copies(house, subject, (0, 50, "<"), (10, 9000, ">"), (20, 50, "<"))
    found = kinetics(house, subject)
    assert (found["status"], found["value"]) == ("unknown", None)
    assert (found["detail"]["cmax"], found["detail"]["cmax_qualifier"]) == (9000, ">")
    assert found["detail"]["auc"]["linear"]["0-28"] == 45000  # at least: 10 days up to 9000, halved
    assert found["detail"]["auc_qualifier"] == ">"
    assert found["reasons"] == [{"rule": "beyond_the_assays_limit", "values": {"ids": ids[1:2]}}]
    figure = cells(house, "pk")[("car_copies", "all")]
    assert (figure["statuses"], figure["summary"]) == ({"unknown": 1}, {})
