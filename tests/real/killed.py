"""`portgen`, killed by itself: at an operation, or while a program runs. Runs in the host.

    killed.py before|after|during N ARGUMENTS

N: which operation of the install, from 0. `during`: a moment after it, or the next one that needs a program,
has started one.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

from portgen.cli import main
from portgen.machine import system, transaction

MOMENT = 0.01  # seconds that the program has


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at(when: str, number: int) -> None:
    """Have this process killed there."""
    do, run = transaction.Hands.do, system.Here.run
    begun = -1

    def counted(self: transaction.Hands, operation: Any) -> None:
        nonlocal begun
        begun += 1
        if (when, number) == ("before", begun):
            killed()
        do(self, operation)
        if (when, number) == ("after", begun):
            killed()

    def watched(self: system.Here, *words: Any, **options: Any) -> Any:
        if when == "during" and begun >= number:
            threading.Timer(MOMENT, killed).start()
        return run(self, *words, **options)

    transaction.Hands.do = counted  # type: ignore[method-assign]
    system.Here.run = watched  # type: ignore[method-assign]


if __name__ == "__main__":
    kill_at(sys.argv[1], int(sys.argv[2]))
    sys.argv = ["portgen", *sys.argv[3:]]
    main()
