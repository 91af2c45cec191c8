"""The error a submit or a look-up ends with when the provider says no."""


class Refusal(Exception):
    """The request is answered with this status and message; nothing is booked."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
