"""Long training as durable jobs: a job is a directory, run by a process of its own, understood by whoever reads it.

    DIR/JOB_ID/plan.json         what was asked for: the plan, when, in which attempt
               started           number of the attempt that began; written before its process is
               progress.jsonl    reports, a line each, numbered from 1
               outcome.json      how the attempt ended; absent after a kill
               lock              held while the process lives, and holds its number
               cancel            number of the attempt that was asked to stop
               log.txt           whatever the process printed
               checkpoints/      what the recipe keeps to go on from

    python -m emotional_ai_training.jobs DIR/JOB_ID       runs it to its end, or to a state it can be resumed from

plan          Plan: the settings of a training; Recipe
record        JobRecord: plan.json
directory     JobDirectory: the files of a job, and where it stands by them
queue         the jobs in a directory: make one, find one
progress      ProgressReport; the log of them, written and read
reporter      Reporter: what a training says while it runs, and whether it is asked to stop
locking       FileLock: kept by a process and those it is handed to, given up when they end, however they end
launching     starts a job's process, which outlives the one that started it
running       what that process does
errors        what is refused
"""

from emotional_ai_training.jobs.directory import JobDirectory, JobStanding, Outcome, Standing, id_in
from emotional_ai_training.jobs.errors import JobCancelled, JobDamaged, JobsError, JobsUnusable, TrainingNotInstalled
from emotional_ai_training.jobs.launching import DEFAULT_TARGET, check_can_train, launch
from emotional_ai_training.jobs.locking import FileLock, take_lock
from emotional_ai_training.jobs.plan import Plan, Recipe
from emotional_ai_training.jobs.progress import ProgressReader, ProgressReport
from emotional_ai_training.jobs.queue import JobsDirectory
from emotional_ai_training.jobs.record import JobRecord
from emotional_ai_training.jobs.reporter import Reporter

__all__ = [
    "DEFAULT_TARGET",
    "FileLock",
    "JobCancelled",
    "JobDamaged",
    "JobDirectory",
    "JobRecord",
    "JobStanding",
    "JobsDirectory",
    "JobsError",
    "JobsUnusable",
    "Outcome",
    "Plan",
    "ProgressReader",
    "ProgressReport",
    "Recipe",
    "Reporter",
    "Standing",
    "TrainingNotInstalled",
    "check_can_train",
    "id_in",
    "launch",
    "take_lock",
]
