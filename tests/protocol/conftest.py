"""The two study files: the lupus trial's, and a small made-up one that has nothing in common with it."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from schedules.protocol import definition
from schedules.protocol.definition import Study
from schedules.protocol.load import load_content, load_study

SLE = Path(definition.__file__).with_name("definitions") / "sle-cd19.yaml"
MINI = Path(__file__).parents[1] / "data" / "small-study.yaml"


@pytest.fixture(scope="session")
def sle() -> Study:
    return load_study(SLE)


@pytest.fixture(scope="session")
def mini() -> Study:
    return load_study(MINI)


@pytest.fixture(scope="session")
def _mini_content() -> dict[str, Any]:
    return load_content(MINI.read_text(encoding="utf-8"))


@pytest.fixture
def content(_mini_content: dict[str, Any]) -> dict[str, Any]:
    """The small study as plain content, to be spoilt by a test."""
    return deepcopy(_mini_content)
