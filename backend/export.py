"""One zip of the dataset: a CSV per table, codebook, dictionary of the study, manifest with hashes and chain heads.

Equal content gives equal bytes, from the command and from the door: fixed order, fixed dates inside the zip, nothing
of the moment of export. The manifest comes last and names the SHA-256 of every file.
"""

import csv
import hashlib
import io
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import IO, Any
from uuid import UUID

import sqlalchemy as sa

from backend import trial
from backend.db import db
from backend.export_rows import Scope, cell
from backend.export_tables import TABLES, Table
from backend.models.record import AuditEvent
from backend.strictjson import canonical
from schedules.protocol.definition import Label, Study

FORMAT = 1
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold


def write(target: IO[bytes], site_ids: Sequence[UUID], as_of: datetime | None) -> None:
    """Write the dataset of these sites' subjects, as it stands or stood at `as_of`, row by row."""
    scope = Scope(trial.gathered(site_ids, as_of), as_of)
    files: list[dict[str, Any]] = []
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for table in TABLES:
            lines = ([cell(one) for one in row] for row in table.rows(scope))
            files.append(_add(archive, f"{table.name}.csv", list(table.columns), lines))
        files.append(_add(archive, "codebook.csv", ["table", "about", "column", "meaning"], _codebook(TABLES)))
        studies = {one.study.sha256: one.study for one in scope.dossiers}
        named = (line for _, study in sorted(studies.items()) for line in _dictionary(study))
        files.append(_add(archive, "dictionary.csv", ["study_sha256", "kind", "key", "zh", "en", "unit"], named))
        manifest = {
            "format": FORMAT,
            "as_of": as_of,
            "subjects": len(scope.dossiers),
            "studies": [
                {"key": study.key, "revision": study.revision, "sha256": digest}
                for digest, study in sorted(studies.items())
            ],
            "files": files,
            "chains": _heads(scope),
        }
        with archive.open(_info("manifest.json"), "w") as file:
            file.write(canonical(manifest).encode() + b"\n")


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


def _add(archive: zipfile.ZipFile, name: str, header: list[str], rows: Iterator[list[str]]) -> dict[str, Any]:
    """One CSV (RFC 4180, UTF-8) and what the manifest says of it."""
    digest, count = hashlib.sha256(), 0
    with archive.open(_info(name), "w") as file:
        for number, row in enumerate(chain([header], rows)):
            text = io.StringIO()
            csv.writer(text, lineterminator="\r\n").writerow(row)
            line = text.getvalue().encode()
            digest.update(line)
            file.write(line)
            count = number
    return {"name": name, "rows": count, "sha256": digest.hexdigest()}


def _codebook(tables: Sequence[Table]) -> Iterator[list[str]]:
    for table in tables:
        for column, meaning in table.columns.items():
            yield [table.name, table.about, column, meaning]


def _dictionary(study: Study) -> Iterator[list[str]]:
    """What the keys in the tables mean, in both languages."""

    def named(kind: str, key: str, label: Label, unit: str = "") -> list[str]:
        return [study.sha256, kind, key, label.zh, label.en, unit]

    for key, item in study.items.items():
        yield named("item", key, item.label, item.unit or "")
        for option in item.options:
            yield named("option", f"{key}={option.key}", option.label)
    for code, measure in study.measures.items():
        yield named("measure", code, measure.name, measure.unit)
    for key, drug in study.drugs.items():
        yield named("drug", key, drug.name)
    for visit in study.visits:
        yield named("visit", visit.key, visit.name)
    for outcome in study.outcomes:
        yield named("outcome", outcome.key, outcome.name)


def _heads(scope: Scope) -> list[dict[str, Any]]:
    """The last link of each subject's chain, as it stands or stood."""
    found = []
    for subject_id in scope.ids:
        rows = sa.select(AuditEvent).where(AuditEvent.chain == str(subject_id))
        if scope.as_of is not None:
            rows = rows.where(AuditEvent.at <= scope.as_of)
        last = db.session.scalars(rows.order_by(AuditEvent.seq.desc()).limit(1)).first()
        if last is not None:
            found.append({"chain": last.chain, "seq": last.seq, "hash": last.hash})
    return sorted(found, key=lambda one: str(one["chain"]))
