"""Log lines: one event each, with its fields; of other libraries only what is worth a warning."""

import logging
from collections.abc import Iterator

import pytest

from app import logs
from app.errors import DatabaseUnavailable


def record(message: str, *args: object, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("app.x", logging.INFO, "x.py", 1, message, args, None)
    made.created = 1769860800.25
    made.__dict__.update(fields)
    return made


def line(of: logging.LogRecord) -> str:
    return logs.EventFormatter().format(of)


def test_a_line_is_time_level_event_and_fields() -> None:
    moved = record("job_moved", job_id="1", before="waiting", after="completed")
    assert line(moved) == "2026-01-31T12:00:00.250Z INFO job_moved job_id=1 before=waiting after=completed"


def test_an_event_without_fields_has_no_blank_at_its_end() -> None:
    assert line(record("worker_died")) == "2026-01-31T12:00:00.250Z INFO worker_died"


def test_arguments_of_a_message_are_filled_in() -> None:
    assert line(record("took %d of %s", 2, "three")).endswith("INFO took 2 of three")


def test_an_exception_follows_its_event_without_its_words_which_may_quote_data() -> None:
    broken = record("sweep_failed")
    with pytest.raises(ValueError, match="invalid literal") as caught:
        int("one")
    broken.exc_info = (caught.type, caught.value, caught.tb)
    first, *rest = line(broken).splitlines()
    assert first.endswith("INFO sweep_failed")
    assert "test_event_lines.py" in rest[0]
    assert rest[-1] == "ValueError"


def test_an_exception_of_ours_keeps_its_words() -> None:
    away = record("claim_postponed")
    with pytest.raises(DatabaseUnavailable) as caught:
        raise DatabaseUnavailable("OperationalError: server closed the connection") from OSError("secret")
    away.exc_info = (caught.type, caught.value, caught.tb)
    text = line(away)
    assert "DatabaseUnavailable: OperationalError: server closed the connection" in text
    assert "secret" not in text


@pytest.fixture
def _loggers_as_they_were() -> Iterator[None]:
    known = [logging.getLogger(name) for name in (None, "app", "workers")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in known]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.mark.usefixtures("_loggers_as_they_were")
def test_ours_are_shown_from_the_level_on_and_others_from_warning_on(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("DEBUG")
    for name in ("app.services.moves", "workers.sweeper", "urllib3.connectionpool", "kombu"):
        logging.getLogger(name).debug("debug of %s", name)
        logging.getLogger(name).warning("warning of %s", name)
    shown = [text.split(" ", 2)[2] for text in capsys.readouterr().err.splitlines()]
    assert shown == [
        "debug of app.services.moves",
        "warning of app.services.moves",
        "debug of workers.sweeper",
        "warning of workers.sweeper",
        "warning of urllib3.connectionpool",
        "warning of kombu",
    ]


@pytest.mark.usefixtures("_loggers_as_they_were")
def test_below_its_level_nothing_of_ours_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("ERROR")
    logging.getLogger("app.x").warning("quiet")
    logging.getLogger("app.x").error("loud")
    assert capsys.readouterr().err.splitlines()[0].endswith("ERROR loud")
