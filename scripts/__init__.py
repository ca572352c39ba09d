"""What is not the product: services for this machine, the demo, measurements, chaos, and what writes the pages."""

import signal
import sys

# While `python -m` looks for the module, its name stands here (https://docs.python.org/3/library/sys.html#sys.argv).
# Ctrl-C may come while everything is imported. Nothing has been started then, so it ends the process at once, without
# a traceback. Who ignores the signal, as a shell for its background jobs, goes on to ignore it.
if sys.argv[:1] == ["-m"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
