"""The entry point, of `python -m portgen` and of the installed command.

gc is off before anything is imported: portgen's life is short, and collecting cycles costs a large inventory half its load
time, and a start a millisecond.
"""

import gc

gc.disable()

from portgen.cli import main  # noqa: E402 - see above

if __name__ == "__main__":
    main()
