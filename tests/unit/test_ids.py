"""Ids: ordered by time, shown with a prefix, read back or not found."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import NotFound
from app.ids import Kind, new_id, read, show

ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
SHOWN = "job_01890a5dac96774bbcceb302099a8057"


def test_a_new_id_is_a_version_7_uuid_of_the_standard_library() -> None:
    made = new_id()
    assert type(made) is UUID
    assert made.version == 7


def test_ids_are_unique_and_in_the_order_of_their_making() -> None:
    made = [new_id() for _ in range(10_000)]
    assert made == sorted(set(made))


def test_an_id_is_shown_with_its_kind_and_32_digits() -> None:
    assert show("job", ID) == SHOWN


@settings(deadline=None)
@given(st.sampled_from(["batch", "job", "attempt", "callback"]), st.uuids())
def test_what_is_shown_can_be_read(kind: Kind, value: UUID) -> None:
    assert read(kind, show(kind, value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "_",
        "job",
        "job_",
        "job_1",
        SHOWN[:-1],
        SHOWN + "0",
        SHOWN[:-1] + "g",
        SHOWN.removeprefix("job_"),
        SHOWN.replace("job", "batch"),
        SHOWN.replace("job", "JOB"),
        SHOWN.replace("job", "x_job"),
        " " + SHOWN,
        SHOWN + "\n",
        f"job_{ID}",
        f"job_{{{ID.hex}}}",
        "job_" + "0" * 31 + "\0",
        "job_" + "\ud800" * 32,
        "job_" + "-" * 32,
        "job_" + "z" * 32,
        "job_" + "0" * 5000,
    ],
)
def test_what_is_no_id_of_this_kind_is_not_found(text: str) -> None:
    with pytest.raises(NotFound):
        read("job", text)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_no_text_breaks_the_reading(text: str) -> None:
    with pytest.raises(NotFound):
        read("job", f"job_{text}")


def test_the_message_names_the_kind_and_cuts_what_was_sent() -> None:
    with pytest.raises(NotFound, match="No batch found") as caught:
        read("batch", "x" * 5000)
    assert len(str(caught.value)) < 150


def test_two_kinds_of_the_same_value_are_different_names() -> None:
    value = uuid4()
    with pytest.raises(NotFound):
        read("batch", show("job", value))
