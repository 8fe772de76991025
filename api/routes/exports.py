"""The dataset as one file."""

import tempfile
from collections.abc import Iterator
from typing import IO, Any

from flask import Response

from api.doors import Caller, Room
from api.fields import Past, Query
from backend import audit, export, policy
from backend.db import snapshot, transaction

room = Room("exports", __name__, url_prefix="/api/v1/exports", description="The dataset as one file")

_CHUNK = 64 * 1024


class ExportQuery(Query):
    as_of = Past()


@room.door(
    "GET", "/dataset.zip", "export:read", query=ExportQuery, media="application/zip", writes=True, own_transactions=True
)
def dataset(caller: Caller, query: dict[str, Any]) -> Response:
    """The dataset of the caller's sites without contact data, as it stands or stood at `as_of`; the export is kept
    in the audit trail. It is read as of one moment, and no report waits for it."""
    as_of = query.get("as_of")
    file = tempfile.TemporaryFile()  # noqa: SIM115  # closed when it has been read
    with snapshot():
        export.write(file, policy.sites_of(caller.id), as_of)
    with transaction():
        audit.record("dataset:exported", "dataset", "dataset.zip", new={"as_of": as_of, "bytes": file.tell()})
    headers = {"Content-Disposition": 'attachment; filename="dataset.zip"'}
    return Response(_read(file), content_type="application/zip", headers=headers)


def _read(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while chunk := file.read(_CHUNK):
            yield chunk
