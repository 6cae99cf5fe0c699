"""Sound requests, which mutations begin with: each rpc of the contract has some."""

from collections.abc import Mapping, Sequence
from typing import Final

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import inference_pb2, training_pb2

NOW_US: Final = 1_700_000_000_000_000
SESSIONS: Final = ("ada", "bob", "eve")
"""Sessions that are there; `eve` has much configured, and a past that was let go."""
SERVICES: Final = tuple(
    service
    for file in (pb.DESCRIPTOR, inference_pb2.DESCRIPTOR, training_pb2.DESCRIPTOR)
    for service in file.services_by_name.values()
)
METHODS: Final[Sequence[MethodDescriptor]] = tuple(method for service in SERVICES for method in service.methods)


def path_of(method: MethodDescriptor) -> str:
    """As HTTP names it."""
    return f"/{method.containing_service.full_name}/{method.name}"


def _vector(value: float) -> pb.ChemicalVector:
    return pb.ChemicalVector(dopamine=value, serotonin=value, cortisol=value, oxytocin=value)


def _at(seconds: float) -> Timestamp:
    time = Timestamp()
    time.FromMicroseconds(NOW_US + int(seconds * 1e6))
    return time


LEVELS: Final = pb.Chemistry(dopamine=0.4, serotonin=0.6, cortisol=0.2, oxytocin=0.5)
EVENT: Final = pb.Stimulus(event=pb.Signals(reward=0.8, threat=0.1), note="well done")
HELD: Final = pb.Stimulus(sustained=pb.SustainedSignals(signals=pb.Signals(threat=0.4), duration_minutes=30))
SKIP: Final = pb.Stimulus(skip_minutes=90)
CONFIG: Final = pb.SessionConfig(
    dynamics=pb.DynamicsConfig(
        baseline=LEVELS,
        half_life_minutes=_vector(60),
        coupling=pb.ChemicalMatrix(dopamine=_vector(0.1), cortisol=_vector(-0.2)),
        buffering=pb.ChemicalMatrix(cortisol=pb.ChemicalVector(oxytocin=0.2)),
        gains=[pb.SignalGain(signal=pb.SIGNAL_PRAISE, gain=_vector(0.2))],
        tau_u_minutes=2,
        mood=pb.MoodConfig(kappa=_vector(0.4), tau_minutes=600),
        circadian=pb.CircadianConfig(amplitude=_vector(0.2), peak_hour=7, utc_offset_hours=1),
        habituation=pb.HabituationConfig(eta=0.5, rho=0.4, tau_minutes=30),
        time_scale=2,
    ),
    expression=pb.ExpressionConfig(
        temperature_law=pb.TEMPERATURE_LAW_INVERTED_U,
        base_temperature=0.8,
        intensity=0.9,
        caps=pb.ExpressionCaps(cortisol=0.7),
    ),
)
EXPLICIT: Final = inference_pb2.ExplicitExpression(
    chemistry=LEVELS,
    blend=[inference_pb2.AdapterWeight(adapter="balanced", weight=0.5, layer_weights=[1.0, 0.5])],
    schedule=[inference_pb2.BlendChange(token_index=1, temperature=0.7, top_p=0.9)],
    config=CONFIG,
)
SAID: Final = inference_pb2.ChatMessage(role=inference_pb2.ROLE_USER, content="I lost my job, be kind")
SAMPLING: Final = inference_pb2.Sampling(max_tokens=3, seed=7, temperature=0.7, top_p=0.9, stop=["."], min_p=0.1)
PERSONAL: Final = pb.SessionConfig(
    dynamics=pb.DynamicsConfig(
        personality=pb.BigFive(
            openness=0.5, conscientiousness=0.5, extraversion=0.5, agreeableness=0.5, neuroticism=0.5
        )
    )
)

REQUESTS: Final[Mapping[str, Sequence[Message]]] = {
    "CreateSession": [
        pb.CreateSessionRequest(session_id="new", config=CONFIG, initial=LEVELS, request_id="r"),
        pb.CreateSessionRequest(session_id="ada", config=PERSONAL, transient=True),
    ],
    "GetSession": [pb.GetSessionRequest(session_id="eve")],
    "ListSessions": [pb.ListSessionsRequest(page_size=2, page_token="ada")],
    "UpdateSession": [pb.UpdateSessionRequest(session_id="bob", config=CONFIG, expected_version=1)],
    "DeleteSession": [pb.DeleteSessionRequest(session_id="new")],
    "ResetSession": [pb.ResetSessionRequest(session_id="bob", levels=LEVELS)],
    "GetState": [pb.GetStateRequest(session_id="ada"), pb.GetStateRequest(session_id="eve", at=_at(60))],
    "ApplyStimuli": [
        pb.ApplyStimuliRequest(session_id="ada", stimuli=[EVENT, HELD, SKIP], request_id="r1"),
        pb.ApplyStimuliRequest(session_id="eve", stimuli=[EVENT] * 8, expected_version=3),
        pb.ApplyStimuliRequest(session_id="bob", stimuli=[pb.Stimulus(event=pb.Signals(loss=1), occurred_at=_at(1))]),
    ],
    "StreamState": [
        pb.StreamStateRequest(open=pb.StreamOpen(session_id="ada", credit=2, interval_ms=1000, resume_token="t")),
        pb.StreamStateRequest(batch=pb.StimulusBatch(number=1, stimuli=[EVENT, HELD])),
        pb.StreamStateRequest(ack=pb.StreamAck(sequence=1)),
    ],
    "WatchState": [pb.WatchStateRequest(session_id="ada", interval_ms=1000, after_version=1)],
    "GetHistory": [pb.GetHistoryRequest(session_id="eve", start=_at(-5), end=_at(600), points=20)],
    "Explain": [pb.ExplainRequest(session_id="eve", start=_at(0), end=_at(600))],
    "ReplayCounterfactual": [
        pb.ReplayCounterfactualRequest(session_id="ada", without_sequences=[2], end=_at(600), points=10)
    ],
    "ExportSession": [pb.ExportSessionRequest(session_id="eve")],
    "ImportSession": [
        pb.ImportSessionRequest(
            session=pb.SessionExport(
                format="emotional-ai/session/1",
                session_id="new",
                entries=[
                    pb.LogEntry(sequence=1, time=_at(-9), created=pb.SessionCreated(config=CONFIG)),
                    pb.LogEntry(sequence=2, time=_at(-8), stimulus=EVENT, request_id="r"),
                ],
            )
        )
    ],
    "Simulate": [
        pb.SimulateRequest(
            config=CONFIG.dynamics,
            initial=LEVELS,
            initial_mood=_vector(0.1),
            events=[pb.SimulatedEvent(time=5, signals=pb.Signals(praise=0.5))],
            sustained=[pb.SimulatedSpan(start=1, end=9, signals=pb.Signals(threat=0.2))],
            times=[0, 10, 20],
            start_hour=8,
        )
    ],
    "Converse": [
        inference_pb2.ConverseRequest(
            session_id="ada", text="kind words", history=[SAID], sampling=SAMPLING, request_id="c"
        )
    ],
    "Generate": [
        inference_pb2.GenerateRequest(messages=[SAID], session_id="eve", sampling=SAMPLING),
        inference_pb2.GenerateRequest(messages=[SAID], explicit=EXPLICIT, sampling=SAMPLING, fixed_blend=True),
    ],
    "Appraise": [inference_pb2.AppraiseRequest(texts=["lost", "kind"], history=[SAID])],
    "PreviewExpression": [
        inference_pb2.PreviewExpressionRequest(session_id="eve"),
        inference_pb2.PreviewExpressionRequest(chemistry=LEVELS, config=CONFIG),
    ],
    "GetModel": [inference_pb2.GetModelRequest()],
    "GetLoad": [inference_pb2.GetLoadRequest()],
    "ListAdapters": [inference_pb2.ListAdaptersRequest()],
    "StartJob": [
        training_pb2.StartJobRequest(
            recipe=training_pb2.RECIPE_ALL,
            config=training_pb2.TrainingConfig(
                lora_rank=8, learning_rate=1e-3, epochs=1, batch_size=4, states=["balanced"]
            ),
            request_id="j",
            max_cost_usd=1,
        ),
        training_pb2.StartJobRequest(recipe=training_pb2.RECIPE_CURIOSITY, resume_job_id="20261129-000000-abcdef"),
    ],
    "GetJob": [training_pb2.GetJobRequest(job_id="20261129-000000-abcdef")],
    "ListJobs": [training_pb2.ListJobsRequest(page_size=2)],
    "CancelJob": [training_pb2.CancelJobRequest(job_id="20261129-000000-abcdef")],
    "WatchJob": [training_pb2.WatchJobRequest(job_id="20261129-000000-abcdef")],
}
