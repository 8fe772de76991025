"""`flask study diff` and `study texts`: what a revision changes, and what patients read with its review."""

from pathlib import Path

import pytest
from flask.testing import FlaskCliRunner
from house import SLE

from api.app import create_app
from schedules.protocol import load
from schedules.protocol.texts import digest_of, drafts, texts


@pytest.fixture
def run() -> FlaskCliRunner:
    return create_app({"DATABASE_URL": "sqlite://"}).test_cli_runner()


def revised(folder: Path, *changes: tuple[str, str]) -> Path:
    text = SLE.read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) >= 1, old
        text = text.replace(old, new, 1)
    path = folder / "next.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_difference_names_every_place(run: FlaskCliRunner, tmp_path: Path) -> None:
    same = run.invoke(args=["study", "diff", str(SLE), str(SLE)])
    assert (same.exit_code, same.output) == (0, "")
    later = revised(tmp_path, ('revision: "1.0"', 'revision: "1.1"'), ("confirm_above: 39.5", "confirm_above: 39.0"))
    found = run.invoke(args=["study", "diff", str(SLE), str(later)])
    assert found.exit_code == 1
    assert found.output.splitlines() == [
        '/revision: "1.0" -> "1.1"',
        "/items/temp_c/confirm_above: 39.5 -> 39.0",
    ]


def test_a_bad_file_and_an_unknown_revision_are_said(run: FlaskCliRunner, tmp_path: Path) -> None:
    bad = revised(tmp_path, ("anchor: collection\n    day: -14", "anchor: moon\n    day: -14"))
    assert run.invoke(args=["study", "diff", str(SLE), str(bad)]).exit_code == 2


def test_every_text_of_a_patient_is_printed_in_both_languages(run: FlaskCliRunner) -> None:
    printed = run.invoke(args=["study", "texts", str(SLE)])
    assert printed.exit_code == 0
    lines = printed.output.splitlines()
    assert any(line.startswith("| /items/temp_c/label | 现在的体温 | Your temperature now |") for line in lines)
    assert any(line.startswith("| /ladders/EMERGENCY/advice |") for line in lines)
    assert any(line.startswith("| text message nudge |") for line in lines)
    assert not any("/forms/ward/" in line for line in lines)
    assert all(line.count(" | ") == 4 for line in lines[2:])


def test_a_review_holds_until_a_word_changes(run: FlaskCliRunner, tmp_path: Path) -> None:
    content = load.load_content(SLE.read_text(encoding="utf-8"))
    first = texts(content)[0]
    assert first.review is None
    content["reviews"] = {first.digest: {"by": "Li Na", "on": "2026-02-01"}}
    assert texts(content)[0].review == ("Li Na", "2026-02-01")
    assert len(drafts(content)) < len(texts(content))
    content["name"]["zh"] += "！"
    assert texts(content)[0].review is None
    assert digest_of("a") != digest_of("b")
    left = run.invoke(args=["study", "texts", "--drafts", str(SLE)])
    assert left.exit_code == 1
