"""What a WSGI server and the `flask` command load. A setting that is wrong ends it with a sentence on stderr."""

import click

from api.app import create_app
from backend import installation
from backend.config import BadSetting

CANNOT_START = 3  # by which gunicorn halts; with any other status it would start its workers over and over

try:
    app = create_app()
    with app.app_context():
        installation.refuse_unfit_database()
except BadSetting as error:
    click.echo(f"Daymark does not start: {error}", err=True)
    raise SystemExit(CANNOT_START) from None
