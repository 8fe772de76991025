"""`flask --app wsgi score INSTRUMENT [FILE]`: the instruments without database or settings, for scripts."""

from typing import Any, TextIO

import click
import marshmallow as ma

from api import problems
from api.scoring import CONTRACTS
from api.scoring import score as score_one
from backend import strictjson
from schedules.faults import Fault


@click.command("score")
@click.argument("instrument", type=click.Choice(tuple(CONTRACTS)))
@click.argument("file", type=click.File(encoding="utf-8"), default="-")
def score(instrument: str, file: TextIO) -> None:
    """Score one JSON object, or a list of them, from FILE or standard input.

    Bad input: the faults as JSON on standard error, exit status 2; one bad item refuses the whole list.
    """
    try:
        given = strictjson.loads(file.read())
    except strictjson.NotJson as error:
        _refuse([Fault("", "not_json", str(error))])
    except UnicodeDecodeError:
        _refuse([Fault("", "not_json", "the text is not UTF-8")])
    schema = CONTRACTS[instrument][0](many=isinstance(given, list))
    if not isinstance(given, (dict, list)):
        _refuse([Fault("", "wrong_type", "an object, or a list of objects")])
    try:
        loaded: Any = schema.load(given)
    except ma.ValidationError as error:
        _refuse(sorted(problems.faults_of(error.messages), key=lambda fault: (fault.path, fault.code)))
    if isinstance(loaded, list):
        click.echo(strictjson.dumps([score_one(instrument, one) for one in loaded]))
    else:
        click.echo(strictjson.dumps(score_one(instrument, loaded)))


def _refuse(faults: list[Fault]) -> Any:
    told = [{"path": fault.path, "code": fault.code, "message": fault.message} for fault in faults]
    click.echo(strictjson.dumps(told), err=True)
    raise SystemExit(2)
