"""What clients get to convince themselves: whether a batch hangs together, and the hashes of all that is in it."""

from datetime import datetime
from typing import Literal, Self

from pydantic import Field, RootModel

from app import ids
from app.api.schemas.shown import BatchId, Cost, Output, id_pattern
from app.services.doctor import Finding
from app.services.verification import Verification
from app.states import JobState, Outcome

_SHA256 = "^[0-9a-f]{64}$"


class ViolationOut(Output):
    """One thing that breaks an invariant, by its id, and how."""

    id: str = Field(pattern="^(batch|job|attempt|callback)_[0-9a-f]{32}$")
    reason: str


class FindingOut(Output):
    """An invariant, and up to 20 things that break it; none if it holds."""

    name: str
    promise: str
    violations: list[ViolationOut]

    @classmethod
    def of(cls, finding: Finding) -> Self:
        """The finding with ids as they are shown."""
        violations = [ViolationOut(id=ids.show(each.kind, each.id), reason=each.reason) for each in finding.violations]
        return cls(name=finding.name, promise=finding.promise, violations=violations)


class CostsOut(Output):
    """What the attempts cost that gave the kept results, and all others."""

    useful: Cost
    wasted: Cost
    unpriced_attempts: int = Field(
        description="Attempts that may have been billed, without anybody having told a cost."
    )


class VerificationOut(Output):
    """What became of every job of a batch, and whether all that is stored of it fits together."""

    batch_id: BatchId
    verified_at: datetime
    is_sound: bool = Field(description="No invariant is broken.")
    total: int
    counts: dict[JobState, int] = Field(description="Each job has one outcome: its state.")
    open_jobs: int = Field(description="Jobs without an outcome yet.")
    callbacks: dict[Outcome, int] = Field(description="The different bodies that came, by what became of them.")
    cost: CostsOut
    findings: list[FindingOut]
    manifest: str = Field(
        pattern="^/api/batches/batch_[0-9a-f]{32}/manifest$",
        description="Where its signed manifest is to be had: a path of this service.",
    )

    @classmethod
    def of(cls, verification: Verification, manifest: str) -> Self:
        """The verification with ids as they are shown."""
        apart = {"cost", "findings", "manifest"}
        named = {name: getattr(verification, name) for name in cls.model_fields if name not in apart}
        cost, findings = CostsOut.model_validate(verification.cost), map(FindingOut.of, verification.findings)
        return cls(**named, cost=cost, findings=list(findings), manifest=manifest)


class ManifestJobOut(Output):
    """One job of a manifest."""

    custom_id: str
    job_id: str = Field(pattern=id_pattern("job"))
    state: JobState
    input_sha256: str = Field(pattern=_SHA256, description="Of `text_data` and `options` as canonical JSON (RFC 8785).")
    result_sha256: str | None = Field(pattern=_SHA256, description="Of the text of its result in UTF-8.")


class ManifestEndOut(Output):
    """The last line of a manifest: the hash of all lines before it, and who vouches for it."""

    format: Literal["hivebatch-manifest-1"]
    batch_id: str = Field(pattern=id_pattern("batch"))
    jobs: int
    open: int = Field(description="Jobs among them without an outcome yet.")
    sha256: str = Field(pattern=_SHA256, description="Of the bytes of all lines before this one.")
    created_at: datetime
    key_id: str = Field(pattern="^[0-9a-f]{8}$")
    signature: str = Field(
        pattern=_SHA256, description="HMAC-SHA-256 of the other members of this line as canonical JSON."
    )


class ManifestLineOut(RootModel[ManifestJobOut | ManifestEndOut]):
    """A line of a manifest."""
