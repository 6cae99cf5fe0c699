"""`python -m emotional_ai_training.jobs DIR/JOB_ID`: runs one job in this process."""

import sys

from emotional_ai_training.jobs.running import main

sys.exit(main())
