"""Sends with libcurl: one thread holds all dialogues, so that none costs a change of threads."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock, Thread
from typing import Any

from app.providers.agenda import Agenda
from app.providers.curl_exchanges import Bell, Exchanges
from app.providers.dialogues import Dialogue, NotSent, Request, T, Talk


class CurlSender:
    """Holds dialogues in one thread, which ends with the sender. See `Sender`."""

    def __init__(
        self,
        at_once: int,
        submit_timeout_seconds: float,
        connect_timeout_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._at_once = at_once
        self._submit_timeout_seconds = submit_timeout_seconds
        self._connect_timeout_seconds = connect_timeout_seconds
        self._monotonic = monotonic
        self._agenda: Agenda[Talk[Any]] = Agenda(monotonic)
        self._lock = Lock()
        self._talks: set[Talk[Any]] = set()
        self._bell = Bell()
        self._thread: Thread | None = None
        self._is_closed = False

    def start(self, dialogue: Dialogue[T], delay_seconds: float = 0.0) -> Future[T]:
        talk = Talk(dialogue)
        self._agenda.put(talk, delay_seconds)
        with self._lock:
            if not self._is_closed:
                self._wake()
        return talk.future

    def close(self) -> None:
        for talk in self._agenda.close():
            talk.future.cancel()
        with self._lock:
            if self._is_closed:
                return
            self._is_closed, thread = True, self._thread
            self._bell.ring()
        if thread is not None:
            thread.join()
        self._bell.close()

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._run, name="sender", daemon=True)
            self._thread.start()
        self._bell.ring()

    def _run(self) -> None:
        exchanges: Exchanges[Talk[Any]] = Exchanges(
            self._at_once, self._connect_timeout_seconds, self._monotonic, self._bell
        )
        try:
            while self._talks or not self._is_closed:
                self._begin(exchanges)
                exchanges.wait(None if self._is_full else self._agenda.seconds_to_first())
                for talk, heard in exchanges.ended():
                    self._go_on(exchanges, talk, talk.hear(heard))
        finally:
            self._end()
            exchanges.close()

    @property
    def _is_full(self) -> bool:
        return len(self._talks) >= self._at_once

    def _begin(self, exchanges: Exchanges[Talk[Any]]) -> None:
        while not self._is_full and (talk := self._agenda.take()) is not None:
            self._talks.add(talk)
            self._go_on(exchanges, talk, talk.begin(self._monotonic() + self._submit_timeout_seconds))

    def _go_on(self, exchanges: Exchanges[Talk[Any]], talk: Talk[Any], request: Request | None) -> None:
        while request is not None:
            try:
                return exchanges.begin(talk, request, talk.deadline_at - self._monotonic())
            except NotSent as error:
                request = talk.hear(error)
        self._talks.remove(talk)
        return None

    def _end(self) -> None:
        """Nobody waits for ever if the thread breaks: the next dialogue finds none, and starts one."""
        with self._lock:
            self._thread = None
            broken, self._talks = self._talks, set()
        for talk in broken:
            if not talk.future.done():
                talk.future.set_exception(RuntimeError("the thread that sends broke"))
