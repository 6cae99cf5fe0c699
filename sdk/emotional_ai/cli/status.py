"""status: whether a service answers, what speaks there, and how busy it is."""

import typer

from emotional_ai import busy
from emotional_ai.cli.output import Record, emit, say
from emotional_ai.cli.reach import AsJson, Target, connected
from emotional_ai.errors import FailedPrecondition
from emotional_ai.v1 import inference_pb2 as pb


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(status)


def status(ctx: typer.Context, json: AsJson = False, target: Target = None) -> None:
    """Say whether the service answers, which model speaks, how many replies are being decoded and how many wait, and how many
    of the texts appraised since it started carried a signal.
    """
    with connected(ctx, target) as client:
        try:
            model, now = client.get_model(), client.get_load()
        except FailedPrecondition as error:  # it answers, and was started without language
            if error.reason != "LANGUAGE_OFF":
                raise
            _off(error.message, json=json)
            return
    if json:
        emit(_record(model, now))
        return
    described = ", ".join(one for one in (model.name, model.backend, model.dtype) if one)
    say(f"language  {_readiness(model)}: {described}")
    say(f"replies   {busy.replies(now)}")
    say(f"texts     {busy.texts(now)}")


def _off(why: str, *, json: bool) -> None:
    if json:
        emit({"language": "off"})
    else:
        say(f"language  off: {why}")


def _readiness(model: pb.GetModelResponse) -> str:
    return "ready" if model.ready else "takes no request now"


def _record(model: pb.GetModelResponse, now: pb.GetLoadResponse) -> Record:
    return {
        "language": "ready" if model.ready else "busy",
        "model": model.name,
        "digest": model.digest,
        "backend": model.backend,
        "dtype": model.dtype,
        "context_length": model.context_length,
        "running": now.running,
        "waiting": now.waiting,
        "capacity": now.capacity,
        "appraised": now.appraised,
        "classified": now.classified,
    }
