"""The published document: valid, complete, in step with the doors and the policy, and without a foreign host."""

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import pytest
from schemathesis.specs.openapi import definitions
from werkzeug.routing import Rule

from backend import policy
from backend.errors import CODES
from tests.contract.stage import PUBLIC, SHAPE, Stage

# Addresses that are no doors of the API: nothing of a subject is behind them.
PAGES = {"/healthz", "/readyz", "/healthz/worker", "/metrics", "/api/docs", "/api/docs/{name}", "/api/v1/openapi.json"}
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def document(stage: Stage) -> dict[str, Any]:
    answer = stage.house.app.test_client().get("/api/v1/openapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    return dict(answer.json)


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def walk(node: Any, path: str = "") -> Any:
    """Every (path, value) below a node."""
    yield path, node
    if isinstance(node, dict):
        for name, inner in node.items():
            yield from walk(inner, f"{path}/{name}")
    elif isinstance(node, list):
        for index, inner in enumerate(node):
            yield from walk(inner, f"{path}/{index}")


def test_it_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert [str(error) for error in definitions.OPENAPI_31_VALIDATOR.iter_errors(document)] == []
    broken = {**document, "paths": {"no-slash": {}}}
    assert not definitions.OPENAPI_31_VALIDATOR.is_valid(broken), "the judge itself must be able to refuse"


def resolve(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """What a node refers to, or itself."""
    while "$ref" in node:
        found: Any = document
        for name in node["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        node = found
    return node


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = {value for path, value in walk(document) if path.endswith("/$ref")}
    assert len(references) > 50
    for one in references:
        assert resolve(document, {"$ref": one})


def test_every_door_is_in_the_document_and_the_other_way_round(stage: Stage, document: dict[str, Any]) -> None:
    def address(rule: Rule) -> str:
        return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)

    served = {
        f"{method} {address(rule)}"
        for rule in stage.house.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if address(rule) not in PAGES
    }
    assert served == set(operations(document))


def test_every_door_has_an_action_or_is_public(document: dict[str, Any]) -> None:
    for label, operation in operations(document).items():
        if label in PUBLIC:
            assert operation["security"] == []
            assert "x-action" not in operation
        else:
            assert "security" not in operation, "the whole document's security holds"
            assert operation["x-action"] in policy.ACTIONS
    assert document["security"] == [{"bearer": []}]


def test_every_action_of_the_policy_opens_something(document: dict[str, Any]) -> None:
    """But for those that a door asks about inside: shown fields, and what a close may hold."""
    inside = {"adverse_event:judge", "episode:grade", "hold:override", "message:read_text", "study:read"}
    opened = {operation.get("x-action") for operation in operations(document).values()} - {None}
    assert set(policy.ACTIONS) - opened == inside


def test_every_refusal_is_documented_in_the_one_shape(document: dict[str, Any]) -> None:
    for label, operation in operations(document).items():
        answers = operation["responses"]
        wanted = {"422", "429", "503"}
        if label not in PUBLIC:
            wanted |= {"401", "403", "404"}
        if "requestBody" in operation:
            wanted |= {"400", "413", "415"}
        if any(one["name"] == "If-Match" for one in operation.get("parameters", [])):
            wanted |= {"412", "428"}
        assert wanted <= set(answers), label
        assert {code for code in answers if code < "300"}, label
        for code, answer in answers.items():
            if code >= "400":
                [(kind, content)] = resolve(document, answer)["content"].items()
                assert (kind, content["schema"]) == (
                    "application/problem+json",
                    {"$ref": "#/components/schemas/Problem"},
                ), label


def test_the_shape_of_a_problem_lists_every_code(document: dict[str, Any]) -> None:
    problem = document["components"]["schemas"]["Problem"]
    assert set(problem["properties"]) == set(problem["required"]) == SHAPE
    assert set(problem["properties"]["code"]["enum"]) == set(CODES)


FILES = {"calendar.ics": "text/calendar", "dataset.zip": "application/zip", "inbound": "text/xml", "voice": "text/xml"}


def test_every_door_says_what_it_does_and_every_success_what_it_answers(document: dict[str, Any]) -> None:
    for label, operation in operations(document).items():
        assert operation["summary"].endswith((".", "]}`.", "]`.")), label
        for code, answer in operation["responses"].items():
            if code in ("200", "201"):
                file = FILES.get(label.rpartition("/")[2])
                if file is not None:
                    assert set(answer["content"]) == {file}, label
                else:
                    assert answer["content"]["application/json"]["schema"]["$ref"], label


def test_no_body_and_no_answer_is_open_to_anything_more(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for one in schema.get("oneOf", [schema]):
            if one.get("type") == "object":
                assert one["additionalProperties"] is False, name


def test_patterns_are_such_as_browsers_read(document: dict[str, Any]) -> None:
    r"""JavaScript has no \A and \Z, and takes ^ and $ of the whole text."""
    patterns = {str(value) for path, value in walk(document) if path.endswith("/pattern")}
    assert len(patterns) >= 4
    for pattern in patterns:
        assert re.fullmatch(r"\^[^\\]+\$", pattern), pattern


def test_a_batch_may_be_one_thing_an_array_or_items(document: dict[str, Any]) -> None:
    for name, item in (("MeasurementBatch", "MeasurementBody"), ("MedicationBatch", "MedicationBody")):
        one, array, whole = document["components"]["schemas"][name]["oneOf"]
        assert (
            one == array["items"] == whole["properties"]["items"]["items"] == {"$ref": f"#/components/schemas/{item}"}
        )
        assert (array["minItems"], array["maxItems"]) == (1, 500)


# --- no other host --------------------------------------------------------------------------------------------


def test_the_document_names_no_host(document: dict[str, Any]) -> None:
    assert "servers" not in document
    for path, value in walk(document):
        assert not (isinstance(value, str) and re.search(r"https?:|//\w", value)), path


class Links(HTMLParser):
    """Everything a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "action", "srcset", "data")]


def test_the_docs_page_loads_from_here_alone(stage: Stage) -> None:
    client = stage.house.app.test_client()
    page = client.get("/api/docs")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    links = Links()
    links.feed(page.text)
    assert len(links.found) == 3
    for link in links.found:
        assert urlsplit(link)[:2] == ("", "")
        with client.get(link) as loaded:
            assert (loaded.status_code, loaded.mimetype in ("text/css", "text/javascript")) == (200, True)
            if link.endswith("start.js"):
                assert not re.search(r"https?:|//\w", loaded.text)
                assert '"/api/v1/openapi.json"' in loaded.text
                assert "validatorUrl: null" in loaded.text, "Swagger UI would ask a foreign host otherwise"
    policy_of = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
    assert {part for value in policy_of.values() for part in value.split()} == {
        "'none'",
        "'self'",
        "'unsafe-inline'",
        "data:",
    }
    assert policy_of["script-src"] == policy_of["connect-src"] == "'self'"


@pytest.mark.parametrize("name", ["index.html", "../__init__.py", "swagger-ui.js", "oauth2-redirect.html", "LICENSE"])
def test_nothing_else_of_the_docs_is_served(stage: Stage, name: str) -> None:
    assert stage.house.app.test_client().get(f"/api/docs/{name}").status_code == 404
