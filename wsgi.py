"""What a WSGI server and the `flask` command load."""

from api.app import create_app
from backend import installation

app = create_app()
with app.app_context():
    installation.refuse_unfit_database()
