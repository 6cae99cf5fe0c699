"""Training jobs as the service keeps them: taken once, run one at a time in processes of their own, watched by many.

desk         Jobs: takes orders, answers where jobs stand, cancels
scheduler    gives queued jobs their turn, across restarts of the service
follower     one reader of a job's reports for all who watch it

A job itself is a directory and a process; see emotional_ai_training.jobs.
"""

from emotional_ai_service.jobs.desk import Jobs, training_jobs
from emotional_ai_service.jobs.follower import News

__all__ = ["Jobs", "News", "training_jobs"]
