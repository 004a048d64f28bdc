"""The command line: ``main`` and one file per verb, on a processor that the libraries can run on."""

import sys

from bertline.machine.requirements import too_old

if (_sentence := too_old()) is not None:
    sys.exit(f"error: {_sentence}")
