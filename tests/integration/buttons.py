"""Every button of the page, each pressed on something that it changes: a new one belongs here too.

A recipe makes that something and says what to press. Its name is that of the view.
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app import ids
from app.runtime import Runtime
from app.services import batches, callbacks, drafts, endpointchanges, keys, orphans, pausing
from app.services.audit import By
from app.services.endpointchanges import Changes
from app.states import EventType
from app.tokens import CallbackSubject
from tests.factories import PROVIDER, counts, deliver, job, submit, take_one
from tests.fakes import success, unrecognised
from tests.webhooks import endpoint, on_their_way, register


@dataclass(frozen=True)
class Press:
    """A button: its path, what it is pressed on as the audit names it, and what its form holds beside a reason.

    `subject` None: what it makes, which has no name before.
    """

    path: str
    subject: str | None
    fields: Mapping[str, Any]


def _press(path: str, subject: str | None, **fields: Any) -> Press:
    return Press(f"/admin/{path}", subject, fields)


def _batch(runtime: Runtime, *texts: str) -> tuple[UUID, str]:
    batch_id = submit(runtime, *(texts or ("one", "two")))
    return batch_id, ids.show("batch", batch_id)


def _cancelled(runtime: Runtime) -> tuple[UUID, str]:
    batch_id, shown = _batch(runtime)
    batches.cancel(runtime, None, batch_id)
    return batch_id, shown


def cancel_batch(runtime: Runtime) -> Press:
    _, shown = _batch(runtime)
    return _press(f"batches/{shown}/cancel", shown)


def retry_batch(runtime: Runtime) -> Press:
    _, shown = _cancelled(runtime)
    return _press(f"batches/{shown}/retry", shown)


def retry_job(runtime: Runtime) -> Press:
    batch_id, shown = _cancelled(runtime)
    return _press(f"jobs/{ids.show('job', job(runtime, batch_id).job.id)}/retry", shown)


def _job(runtime: Runtime) -> str:
    batch_id, _ = _batch(runtime, "one")
    return ids.show("job", job(runtime, batch_id).job.id)


def cancel_job(runtime: Runtime) -> Press:
    shown = _job(runtime)
    return _press(f"jobs/{shown}/cancel", shown)


def fail_job(runtime: Runtime) -> Press:
    shown = _job(runtime)
    return _press(f"jobs/{shown}/fail", shown)


def complete_job(runtime: Runtime) -> Press:
    shown = _job(runtime)
    return _press(f"jobs/{shown}/complete", shown, text="an answer")


def read_job(runtime: Runtime) -> Press:
    shown = _job(runtime)
    return _press(f"jobs/{shown}/texts", shown)


def _unread(runtime: Runtime) -> tuple[UUID, str]:
    """A batch in the answer of whose only job no text was recognised."""
    batch_id, shown = _batch(runtime, "one")
    deliver(runtime, take_one(runtime).submission, unrecognised())
    assert counts(runtime, batch_id) == {"failed": 1}
    return batch_id, shown


def reparse_job(runtime: Runtime) -> Press:
    batch_id, shown = _unread(runtime)
    return _press(f"jobs/{ids.show('job', job(runtime, batch_id).job.id)}/reparse", shown)


def reparse_batch(runtime: Runtime) -> Press:
    _, shown = _unread(runtime)
    return _press(f"batches/{shown}/reparse", shown)


def download_results(runtime: Runtime) -> Press:
    _, shown = _batch(runtime)
    return _press(f"batches/{shown}/results", shown, format="csv")


def pause_batch(runtime: Runtime) -> Press:
    _, shown = _batch(runtime)
    return _press(f"batches/{shown}/pause", shown)


def resume_batch(runtime: Runtime) -> Press:
    batch_id, shown = _batch(runtime)
    pausing.pause(runtime, None, batch_id, "lunch")
    return _press(f"batches/{shown}/resume", shown)


def pause_provider(_: Runtime) -> Press:
    return _press(f"providers/{PROVIDER}/pause", f"provider:{PROVIDER}")


def lift_hold(runtime: Runtime) -> Press:
    pausing.pause_provider(runtime, PROVIDER, By("cli"))
    return _press(f"providers/{PROVIDER}/lift", f"provider:{PROVIDER}", hold=pausing.PAUSED)


def send_echo(_: Runtime) -> Press:
    return _press(f"providers/{PROVIDER}/echo", f"provider:{PROVIDER}")


def _orphan(runtime: Runtime) -> str:
    token = runtime.signer.sign(CallbackSubject(ids.new_id(), ids.new_id()))
    callbacks.receive(runtime, token, success("whose?"))
    return ids.show("callback", orphans.listing(runtime).items[0].id)


def match_callback(runtime: Runtime) -> Press:
    batch_id, _ = _batch(runtime, "one")
    shown = _orphan(runtime)
    return _press(f"callbacks/{shown}/match", shown, job=ids.show("job", job(runtime, batch_id).job.id))


def discard_callback(runtime: Runtime) -> Press:
    shown = _orphan(runtime)
    return _press(f"callbacks/{shown}/discard", shown)


def read_callback(runtime: Runtime) -> Press:
    shown = _orphan(runtime)
    return _press(f"callbacks/{shown}/body", shown)


def replay_callback(runtime: Runtime) -> Press:
    shown = _orphan(runtime)
    return _press(f"callbacks/{shown}/replay", shown)


def change_jobs(runtime: Runtime) -> Press:
    shown = _job(runtime)
    return _press("jobs/change", shown, do="cancel", job=shown)


def change_batches(runtime: Runtime) -> Press:
    _, shown = _batch(runtime)
    return _press("batches/change", shown, do="cancel", batch=shown)


def draft_batch(_: Runtime) -> Press:
    return _press("batches/drafts", None, pasted="a prompt")


def create_batch(runtime: Runtime) -> Press:
    draft = drafts.keep(runtime, "prompts.txt", io.BytesIO(b"a prompt"))
    return _press(f"batches/drafts/{draft.id}", None, form="text", owner="alice")


def create_key(_: Runtime) -> Press:
    shown = ids.show("key", ids.new_id())
    return _press("keys/new", shown, key=shown, owner="alice", name="x", scope="read")


def _key(runtime: Runtime) -> str:
    return ids.show("key", keys.create(runtime, "alice", "x").key.id)


def rotate_key(runtime: Runtime) -> Press:
    shown = _key(runtime)
    return _press(f"keys/{shown}/rotate", shown, keep="on")


def revoke_key(runtime: Runtime) -> Press:
    shown = _key(runtime)
    return _press(f"keys/{shown}/revoke", shown)


def run_doctor(_: Runtime) -> Press:
    return _press("system/doctor", "system", rows="1")


def _webhook(runtime: Runtime) -> tuple[UUID, str]:
    endpoint_id = register(runtime)
    return endpoint_id, ids.show("webhook", endpoint_id)


def test_endpoint(runtime: Runtime) -> Press:
    _, shown = _webhook(runtime)
    return _press(f"webhooks/{shown}/test", shown, type=EventType.COMPLETED.value)


def disable_webhook(runtime: Runtime) -> Press:
    _, shown = _webhook(runtime)
    return _press(f"webhooks/{shown}/disable", shown)


def enable_webhook(runtime: Runtime) -> Press:
    endpoint_id, shown = _webhook(runtime)
    endpointchanges.change(runtime, "alice", endpoint_id, Changes(is_enabled=False))
    return _press(f"webhooks/{shown}/enable", shown)


def rotate_webhook(runtime: Runtime) -> Press:
    endpoint_id, shown = _webhook(runtime)
    return _press(f"webhooks/{shown}/rotate", shown, keep="on", hint=endpoint(runtime, endpoint_id).secret_hint)


def _given_up(runtime: Runtime) -> tuple[UUID, str]:
    """An endpoint that was disabled while it was told of the end of a batch, and is enabled again."""
    endpoint_id, shown = _webhook(runtime)
    _cancelled(runtime)
    endpointchanges.change(runtime, "alice", endpoint_id, Changes(is_enabled=False))
    endpointchanges.change(runtime, "alice", endpoint_id, Changes(is_enabled=True))
    return endpoint_id, shown


def resend_failed(runtime: Runtime) -> Press:
    _, shown = _given_up(runtime)
    return _press(f"webhooks/{shown}/resend_failed", shown, hours="24")


def resend_missing(runtime: Runtime) -> Press:
    _cancelled(runtime)
    _, shown = _webhook(runtime)
    return _press(f"webhooks/{shown}/resend_missing", shown, hours="24")


def resend_delivery(runtime: Runtime) -> Press:
    _given_up(runtime)
    shown = ids.show("delivery", on_their_way(runtime)[0].id)
    return _press(f"deliveries/{shown}/resend", shown)


RECIPES: Mapping[str, Callable[[Runtime], Press]] = {
    f"admin.{recipe.__name__}": recipe
    for recipe in (
        cancel_batch,
        retry_batch,
        change_batches,
        retry_job,
        cancel_job,
        fail_job,
        complete_job,
        read_job,
        reparse_job,
        reparse_batch,
        download_results,
        pause_batch,
        resume_batch,
        pause_provider,
        lift_hold,
        send_echo,
        change_jobs,
        draft_batch,
        create_batch,
        match_callback,
        discard_callback,
        read_callback,
        replay_callback,
        create_key,
        rotate_key,
        revoke_key,
        run_doctor,
        test_endpoint,
        disable_webhook,
        enable_webhook,
        rotate_webhook,
        resend_failed,
        resend_missing,
        resend_delivery,
    )
}
"""What presses each button of the page, by its endpoint, on something that it changes."""
