"""Trouble with the database: what a code of it means, and how it is told."""

READ_ONLY = "25006"

# Classes of PostgreSQL's error codes: another transaction was in the way; no connection, not writable, no resources,
# stopping, failing. Whoever gets the second kind may come again later.
_BUSY = frozenset({"40", "55"})
_AWAY = frozenset({"08", "25", "53", "57", "58", "XX"})
_OTHER_SCHEMA = "the database has not the schema of this code"
_TROUBLES = {
    "42P01": _OTHER_SCHEMA,
    "42703": _OTHER_SCHEMA,
    "53100": "the disk of the database is full",
    "53300": "the database has no connection left",
    "53": "the database has run out of resources",
    READ_ONLY: "the database is read-only: a standby, or in recovery",
    "57014": "the database is too slow: it gave up on a statement",
    "57P": "the database is stopping or starting",
    "58": "the database can't read or write its files",
    "XX": "the database has a fault of its own, of which its log says more",
    "SQLITE_FULL": "the disk of the database is full",
    "SQLITE_READONLY": "the database is read-only",
    "SQLITE_CANTOPEN": "the database's file can't be opened",
    "SQLITE_IOERR": "the database can't read or write its file: is the disk full?",
    "SQLITE_BUSY": "the database is locked by another process",
}
# A connection that PostgreSQL refuses has no code, nor has SQLite for what it does not find.
_WORDS = {
    "starting up": "the database is starting",
    "shutting down": "the database is stopping",
    "recovery": "the database is in recovery",
    "too many clients": "the database has no connection left",
    "no such table": _OTHER_SCHEMA,
    "no such column": _OTHER_SCHEMA,
    "has no column": _OTHER_SCHEMA,
}


def is_busy(code: str) -> bool:
    """Whether another transaction was in the way."""
    return code[:2] in _BUSY


def is_away(code: str) -> bool:
    """Whether the database keeps nothing now, and may do so later."""
    return code[:2] in _AWAY or _TROUBLES.get(code) == _OTHER_SCHEMA


def in_words(code: str, words: str) -> str:
    """What is wrong, as far as a driver tells: by its code, or, where a connection is refused, by its words."""
    told = [trouble for sign, trouble in _TROUBLES.items() if code.startswith(sign)]
    told += [trouble for sign, trouble in _WORDS.items() if sign in words]
    return told[0] if told else "the database can't be reached or written"
