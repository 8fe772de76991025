"""Masking by the hour, the day and the milligram (clinical-safety §3.2)."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from backend.safety.masking import MaskReason, masked, masked_acutely
from tests.safety.value_builders import NOW, ago, context, dose, report

SECOND = timedelta(seconds=1)


def prednisone(mg: str | None, **rest: Any) -> Any:
    amount = None if mg is None else Decimal(mg)
    return dose("prednisone", "steroid", ago(days=30), going_on=True, prednisolone_mg_per_day=amount, **rest)


def test_nothing_taken_masks_nothing() -> None:
    assert masked(context()) == ()


@pytest.mark.parametrize(
    ("drug", "drug_class", "lasts"),
    [
        ("paracetamol", "antipyretic", timedelta(hours=8)),
        ("dexamethasone", "steroid", timedelta(hours=24)),
        ("tocilizumab", "tocilizumab", timedelta(days=14)),
        ("siltuximab", "siltuximab", timedelta(days=14)),
        ("anakinra", "anakinra", timedelta(days=3)),
    ],
)
def test_a_dose_masks_up_to_its_limit_and_not_a_second_longer(drug: str, drug_class: str, lasts: timedelta) -> None:
    for judge in (masked, masked_acutely):
        (reason,) = judge(context(dose(drug, drug_class, NOW - lasts, mg=Decimal(500))))
        assert (reason.drug, reason.drug_class, reason.mg) == (drug, drug_class, Decimal(500))
        assert reason.hours == lasts / timedelta(hours=1)
        assert judge(context(dose(drug, drug_class, NOW - lasts - SECOND))) == ()


def test_a_dose_in_the_future_and_a_drug_of_another_class_do_not_mask() -> None:
    assert masked(context(dose("paracetamol", "antipyretic", NOW + SECOND))) == ()
    assert masked(context(dose("lorazepam", "sedative", ago(1)))) == ()


def test_a_dose_taken_this_very_moment_masks() -> None:
    (reason,) = masked(context(dose("paracetamol", "antipyretic", NOW)))
    assert reason.hours == 0


def test_a_course_is_counted_from_its_last_day_and_masks_while_it_goes_on() -> None:
    assert masked(context(dose("anakinra", "anakinra", ago(days=9), ago(days=3))))
    assert masked(context(dose("anakinra", "anakinra", ago(days=9), ago(days=3) - SECOND))) == ()
    (reason,) = masked(context(dose("anakinra", "anakinra", ago(days=9), going_on=True)))
    assert reason.hours == 0


def test_steroids_mask_from_ten_milligrams_a_day() -> None:
    assert masked(context(prednisone("10")))
    assert masked(context(prednisone("9.9"))) == ()
    assert len(masked(context(prednisone("5"), prednisone("5")))) == 2  # together they reach it


def test_a_steroid_of_unknown_amount_masks() -> None:
    (reason,) = masked(context(prednisone(None)))
    assert reason.mg is None


def test_a_steroid_stopped_more_than_a_day_ago_does_not_mask() -> None:
    course = {"prednisolone_mg_per_day": Decimal(40)}
    assert masked(context(dose("prednisone", "steroid", ago(days=4), ago(24), **course)))
    assert masked(context(dose("prednisone", "steroid", ago(days=4), ago(24) - SECOND, **course))) == ()


def test_a_standing_steroid_masks_but_not_acutely() -> None:
    standing = context(prednisone("20", standing=True))
    assert masked(standing)
    assert masked_acutely(standing) == ()
    assert masked_acutely(context(prednisone("20")))
    assert masked_acutely(context(dose("dexamethasone", "steroid", ago(days=30), going_on=True, standing=True))) == ()


def test_doses_named_in_a_report_mask_and_are_not_counted_twice() -> None:
    taken = ago(3)
    given = {"name": "paracetamol", "dose_mg": 500, "taken_at": taken.isoformat()}
    said = report(antipyretic=[given])
    expected = MaskReason("paracetamol", "antipyretic", Decimal(500), Decimal("3.0"), said.id)
    assert masked(context(said)) == (expected,)
    assert len(masked(context(said, dose("paracetamol", "antipyretic", taken)))) == 1
    assert masked(context(report(antipyretic=[]))) == ()


def test_a_dose_named_without_a_time_or_by_a_fast_clock_counts_from_the_report() -> None:
    for taken_at in (None, (NOW + timedelta(hours=2)).isoformat(), "2026-03-09T09:00:00"):
        (reason,) = masked(context(report(ago(7), antipyretic=[{"name": "ibuprofen", "taken_at": taken_at}]), at=NOW))
        assert reason.hours == Decimal("7.0")


def test_the_patients_own_steroid_total_masks_acutely_only_above_the_usual() -> None:
    before = report(ago(days=8), steroid_taken=Decimal(15))
    assert masked(context(report(steroid_taken=Decimal(10))))
    assert masked(context(report(steroid_taken=Decimal("9.5")))) == ()
    assert masked_acutely(context(before, report(steroid_taken=Decimal(15)))) == ()
    assert masked_acutely(context(before, report(steroid_taken=Decimal(20))))
    assert masked_acutely(context(prednisone("20", standing=True), report(steroid_taken=Decimal(20)))) == ()
    stopped = dose("prednisone", "steroid", ago(days=90), ago(25), standing=True, prednisolone_mg_per_day=Decimal(20))
    assert masked_acutely(context(stopped, report(steroid_taken=Decimal(20))))  # no longer the usual dose
    assert masked_acutely(context(replace(stopped, stop=ago(24)), report(steroid_taken=Decimal(20)))) == ()
    other = dose("hydroxychloroquine", "antimalarial", ago(days=90), going_on=True, standing=True)
    assert masked_acutely(
        context(replace(other, prednisolone_mg_per_day=Decimal(20)), report(steroid_taken=Decimal(20)))
    )
    assert masked_acutely(context(report(ago(20), steroid_taken=Decimal(20)), report(steroid_taken=Decimal(20))))
    twice = replace(prednisone("20"), id=f"{report().id}/steroid_taken")
    assert masked_acutely(context(before, twice, report(steroid_taken=Decimal(15)))) == ()  # the answer, not its dose
    assert masked(context(report(ago(25), steroid_taken=Decimal(20)), at=NOW)) == ()
