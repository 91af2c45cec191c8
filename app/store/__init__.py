"""The only SQL: functions that take a connection inside a transaction and never commit."""
