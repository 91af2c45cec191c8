"""Reading switch sets and directives."""

import pytest

from app.sandbox.switches import CALM, Switches, name_of
from app.sandbox.words import FLAGS, VALUES, FaultError, directives_of, for_submission, parse_switches


def test_words_become_switches() -> None:
    switches = parse_switches("shape=B charge=string delay=0.5 duplicate")
    assert (switches.shape, switches.charge, switches.delay, switches.duplicate) == ("B", "string", 0.5, True)
    assert switches.text == "shape=B charge=string delay=0.5 duplicate"


def test_the_vocabulary_is_every_field_of_switches() -> None:
    assert FLAGS | VALUES.keys() == Switches.__annotations__.keys() - {"words"}


def test_times_is_not_a_fault_of_its_own() -> None:
    assert parse_switches("lost times=2").words == ("lost",)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("lsot", "lsot"),
        ("lost shap=B", "shap=B"),
        ("", "no sandbox words"),
        ("lost=1", "lost takes no value"),
        ("shape=E", "A, B, C, D, none"),
        ("delay=soon", "seconds"),
        ("delay", "seconds"),
        ("delay=-1", "seconds"),
        ("status=200", "300 to 599"),
        ("status=\u0665\u0660\u0660", "300 to 599"),
        ("times=0", "from 1"),
        ("fail=", "code"),
        ("lost lost", "twice"),
        ("delay=1 delay=2", "twice"),
        ("booked", "needs return_code or status"),
        ("retry_after=1", "needs status"),
        ("html", "needs status"),
        ("with_response", "needs fail"),
        ("lost duplicate", "duplicate and lost contradict"),
        ("delay=1 late", "delay and late contradict"),
        ("reset status=500", "reset and status contradict"),
        ("status=429 retry_after=1 retry_date=1", "contradict"),
        ("status=503 duplicate", "duplicate: no effect on a refused submit"),
        ("return_code=400 shape=B", "shape: no effect"),
    ],
)
def test_words_that_mean_nothing_are_named(text: str, named: str) -> None:
    with pytest.raises(FaultError, match=named):
        parse_switches(text)


def test_a_prompt_without_directive_has_none() -> None:
    assert directives_of("Write [[wiki]] links about a [sandbox] at the beach") == []


@pytest.mark.parametrize(
    "prompt",
    ["[[sandbox lost]", "[[sandbox lost", "[[ sandbox lost]]", "[[Sandbox lost]]", "[[sandboxlost]]", "[[sandbox]]"],
)
def test_a_directive_that_would_pass_unseen_is_an_error(prompt: str) -> None:
    with pytest.raises(FaultError):
        directives_of(prompt)


def test_several_directives_are_a_script() -> None:
    script = directives_of("a [[sandbox status=503 times=2]] b [[sandbox lost times=1]] c")
    assert [for_submission(script, number).text for number in (1, 2, 3, 4)] == ["status=503", "status=503", "lost", ""]


def test_a_directive_without_times_holds_for_ever() -> None:
    assert for_submission(directives_of("[[sandbox lost]]"), 99).lost


def test_without_switches_everything_goes_right() -> None:
    assert CALM.books
    assert not CALM.hides_ack
    assert name_of("status=429") == "status"


@pytest.mark.parametrize(
    ("text", "books"),
    [
        ("status=503", False),
        ("status=503 booked", True),
        ("return_code=400", False),
        ("return_code=7 booked", True),
        ("reset", True),
        ("ack=none", True),
        ("lost", True),
    ],
)
def test_what_is_booked_follows_from_the_words(text: str, books: bool) -> None:
    assert parse_switches(text).books is books
