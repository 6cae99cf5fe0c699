"""What every test needs of the process it runs in."""

import os
import signal

from emotional_ai_service.workers.child import LEAN

# Fixtures that several files share.
pytest_plugins = ["training_service"]

# A shell that starts the tests in the background has them ignore Ctrl-C, and what they start inherits that; some of it is
# tested to heed it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Models that run in the process of the tests are as lean as in a worker; libraries read this once, when they are first used.
os.environ.update(LEAN)
