"""`hivebatch doctor`: is all well with this installation and with what it keeps."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

import click

from app import ids
from app.cli import local
from app.services import doctor as service
from app.services import installation
from app.services.doctor import Finding
from app.services.installation import Check


@click.command()
@click.option("--batch", help="Look at the rows of this batch only.")
@click.option("--bodies", is_flag=True, help="Read every kept body again, and compare its hash and its text.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(batch: str | None, bodies: bool, as_json: bool) -> None:
    """Check the installation, and every invariant of the database; exit 1 if anything is not as it must be.

    Good beside a running service: it locks nothing, and reads in short transactions.
    """
    with local.opened() as runtime:
        checks = installation.check(runtime)
        batch_id = None if batch is None else ids.read("batch", batch)
        can_look = checks[0].is_ok
        findings = service.examine(runtime, batch_id, with_bodies=bodies) if can_look else ()
    is_well = all(check.is_ok for check in checks) and not any(finding.violations for finding in findings)
    click.echo(_document(checks, findings, is_well=is_well) if as_json else _table(checks, findings))
    sys.exit(0 if is_well else 1)


def _table(checks: Sequence[Check], findings: Sequence[Finding]) -> str:
    lines = [_line(check.is_ok, check.name, check.detail) for check in checks]
    for finding in findings:
        lines.append(_line(not finding.violations, finding.name, finding.promise))
        lines += [f"        {ids.show(each.kind, each.id)}  {each.reason}" for each in finding.violations]
    return "\n".join(lines)


def _line(is_ok: bool, name: str, words: str) -> str:
    return f"{'ok' if is_ok else 'BAD':4}  {name:26}  {words}"


def _document(checks: Sequence[Check], findings: Sequence[Finding], *, is_well: bool) -> str:
    told = [
        {
            "name": finding.name,
            "promise": finding.promise,
            "violations": [
                {
                    "id": ids.show(each.kind, each.id),
                    "batch_id": ids.show("batch", each.batch_id),
                    "reason": each.reason,
                }
                for each in finding.violations
            ],
        }
        for finding in findings
    ]
    return json.dumps({"is_well": is_well, "checks": [asdict(check) for check in checks], "invariants": told}, indent=1)
