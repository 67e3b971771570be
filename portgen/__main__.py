"""The entry point, of `python -m portgen` and of the installed command.

portgen's life is short. gc is off before anything is imported, since collecting cycles costs a
large inventory half its load time, and a start a millisecond. The process ends at once, since
taking all those objects apart again helps nobody.
"""

import gc

gc.disable()

import os  # noqa: E402 - see above
import sys  # noqa: E402
from contextlib import suppress  # noqa: E402


def main() -> None:
    """Run the command line; its exit code is the process's."""
    _open_streams()
    if "audit" in sys.argv:
        sys.dont_write_bytecode = True  # an audit writes nothing, wherever portgen lies
    try:
        from portgen import cli  # here, since Ctrl-C may come while it is imported

        cli.end_whole_by_sigterm()
        cli.main()
    except KeyboardInterrupt as ended:  # before it began, or once more, while it was ending
        from portgen import cli

        os._exit(cli.code_of(ended))
    except SystemExit as ended:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        code = ended.code
        if not isinstance(code, int):
            code = 1
        os._exit(code)


def _open_streams() -> None:
    """What was closed at the start, as by `>&-`, leads nowhere: a file that is opened later must not
    get the number of stdout or stderr, and be printed into."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w" if name != "stdin" else "r"))  # noqa: SIM115


if __name__ == "__main__":
    main()
