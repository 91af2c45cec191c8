"""`python -m tests.e2e.poisoned COMMAND`: the command line, in a process that one certain prompt kills."""

import os

from app import providers
from app.cli import main
from app.providers.base import Submission, SubmitOutcome
from app.providers.dialogues import Dialogue
from app.providers.hive_v2 import HiveV2

POISON = "Who drinks this?"


class Poisonable(HiveV2):
    """As a fault in a library would end it: without an exception that anybody could catch."""

    def submit(self, submission: Submission) -> Dialogue[SubmitOutcome]:
        if submission.text_data == POISON:
            os._exit(11)
        return (yield from super().submit(submission))


if __name__ == "__main__":
    providers.HiveV2 = Poisonable  # type: ignore[misc]  # the registry makes it by this name
    main()
