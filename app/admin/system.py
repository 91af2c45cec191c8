"""The page of the system: what this process runs with, and the doctor."""

import threading
import time
from collections.abc import Sequence
from typing import cast

from flask import Flask, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.admin import acting
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.services import audit as audits
from app.services import auditlists, doctor, installation
from app.services import system as service
from app.services.auditlists import AuditView, Wanted
from app.services.doctor import Finding
from app.services.installation import Check

_SURGERY = "hivebatch_admin_surgery"
_RUN = "doctor.run"


def open_surgery(app: Flask) -> None:
    """Let the doctor see one patient at a time: he keeps a thread for as long as he looks."""
    app.extensions[_SURGERY] = threading.Lock()


@admin.get("/system")
def system() -> str:
    """Settings, versions, database, workers, and what the doctor last said."""
    view = service.describe(runtime())
    last = _last_run() if view.database else None
    return render_template("admin/system.html", system=view, last=last, hidden=service.HIDDEN)


@admin.post("/system/doctor")
def run_doctor() -> ResponseReturnValue:
    """Check the installation, with `rows` every row too, and show what was found."""
    surgery = cast("threading.Lock", current_app.extensions[_SURGERY])
    if not surgery.acquire(blocking=False):
        flash("The doctor is at it already; what he finds is written to the audit.", "refused")
        return redirect(url_for("admin.system"), 303)
    try:
        begun = time.monotonic()
        checks = installation.check(runtime())
        findings = doctor.examine(runtime()) if checks[0].is_ok and "rows" in request.form else ()
        seconds = round(time.monotonic() - begun, 3)
    finally:
        surgery.release()
    _write_down(checks, findings, seconds)
    worst_first = sorted(findings, key=lambda finding: not finding.violations)
    return render_template("admin/doctor.html", checks=checks, findings=worst_first, seconds=seconds)


def _write_down(checks: Sequence[Check], findings: Sequence[Finding], seconds: float) -> None:
    """What is wrong, by name; a database that is away can't be told."""
    if not checks[0].is_ok:
        return
    bad = [check.name for check in checks if not check.is_ok]
    bad += [finding.name for finding in findings if finding.violations]
    audits.note(runtime(), acting.by(), _RUN, "system", bad=bad, rows=bool(findings), seconds=seconds)


def _last_run() -> AuditView | None:
    found = auditlists.listing(runtime(), Wanted(action=_RUN), None, 1).items
    return found[0] if found else None
