"""What all runs of one training share, and the moves they have in common: open, save, finish."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import tinker

from emotional_ai_training.jobs import JobCancelled
from emotional_ai_training.recipes.errors import StateLost
from emotional_ai_training.recipes.progress import Progress
from emotional_ai_training.recipes.run_directory import Finished, RunDirectory
from emotional_ai_training.tinker_api import (
    Future,
    T,
    TinkerFailure,
    TinkerServer,
    in_background,
    rest_client,
    supervised,
    within,
)

CLIP: Final = 1.0
"""Greatest norm of a gradient."""
COURTESY: Final = 10.0
"""Wall seconds that something may take which a training can do without."""


@dataclass(frozen=True, slots=True)
class Course:
    """Where to train, on which base model, at which rank, and how long a future may take, in wall seconds."""

    server: TinkerServer
    base_model: str
    rank: int
    seed: int
    progress: Progress
    deadline: float = 300.0

    def attempts(self, stage: str, work: Callable[[], T], reached: Callable[[], int] = lambda: 0) -> T:
        """The result of `work`, begun anew from where it saved as long as attempts mend it; see `supervised`.

        `reached` tells how far it has saved; what saves nothing on its way is made anew as a whole. Raises JobCancelled
        before an attempt if the training is to stop.
        """

        def attempt() -> T:
            self.heed(stage)
            return work()

        return supervised(attempt, reached, self.progress.say)

    def heed(self, stage: str) -> None:
        """Raises JobCancelled if the training is to stop; called where everything so far is saved."""
        if self.progress.cancelled:
            raise JobCancelled(f"{stage} stopped; it can go on from there")

    def wait(self, future: Future[T], what: str) -> T:
        """The result of a future, in bounded time; see `within`."""
        return within(future, self.deadline, what, self.server.alive)

    def open(self, service: tinker.ServiceClient, run: RunDirectory, start: str | None) -> tinker.TrainingClient:
        """A client where the run stands: at its last checkpoint, or at `start` with a fresh optimizer, or from nothing.

        Raises StateLost if the server does not have that state.
        """

        def opened() -> tinker.TrainingClient:
            if run.state is not None:
                return service.create_training_client_from_state_with_optimizer(run.state).result()
            if start is not None:
                return service.create_training_client_from_state(start).result()
            # The output embedding stays as it is: its adapters are not read alike everywhere.
            return service.create_lora_training_client(
                self.base_model, rank=self.rank, seed=self.seed, train_mlp=False, train_unembed=False
            ).result()

        with self._held(run.state or start):
            return self.wait(in_background(opened), "opening the training client")

    def sampler(self, service: tinker.ServiceClient, path: str | None) -> tinker.SamplingClient:
        """A sampler of saved weights, or of the base model alone. Raises StateLost as `open`."""
        model = None if path else self.base_model
        with self._held(path):
            opened = in_background(lambda: service.create_sampling_client(model_path=path, base_model=model).result())
            return self.wait(opened, "opening a sampler")

    def finish(self, client: tinker.TrainingClient, run: RunDirectory) -> Finished:
        """Saves what a finished run leaves: weights to sample with and weights to download."""
        assert run.state is not None
        sampler = client.save_weights_for_sampler(f"{run.path.name}-final")
        external = client.save_weights_external(f"{run.path.name}-final")
        done = Finished(
            state=run.state,
            sampler=self.wait(sampler, "saving weights to sample with").path,
            external=self.wait(external, "saving weights to download").path,
        )
        run.finish(done)
        return done

    def replace(self, run: RunDirectory, next_step: int, state: str) -> None:
        """Notes a new checkpoint and deletes the one it replaces; a server that will not keeps it."""
        replaced = run.state
        run.checkpoint(next_step, state)
        if replaced is not None and self.server.alive():
            with suppress(tinker.TinkerError, TinkerFailure):
                rest = rest_client(self.server, COURTESY)
                within(rest.delete_checkpoint_from_tinker_path(replaced), COURTESY, "deleting", self.server.alive)

    @contextmanager
    def _held(self, path: str | None) -> Iterator[None]:
        """Tells a state the server does not have from other refusals, such as a session that a restart has ended."""
        try:
            yield
        except (tinker.NotFoundError, tinker.RequestFailedError) as error:
            if path is not None and self._gone(path):
                raise StateLost(path, str(self.server.address())) from error
            raise

    def _gone(self, path: str) -> bool:
        try:
            rest = rest_client(self.server, self.deadline)
            self.wait(rest.get_weights_info_by_tinker_path(path), f"asking for {path}")
        except tinker.NotFoundError:
            return True
        return False


def adam(learning_rate: float) -> tinker.AdamParams:
    """One optimizer step's settings."""
    return tinker.AdamParams(
        learning_rate=learning_rate, beta1=0.9, beta2=0.95, eps=1e-8, weight_decay=0.0, grad_clip_norm=CLIP
    )
