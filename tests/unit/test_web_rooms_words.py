"""The model, its adapters and the parts of the service, in words."""

import pytest

from emotional_ai import DeadlineExceeded, Details, EmotionalAIError, FailedPrecondition, Unavailable
from emotional_ai.v1 import inference_pb2, training_pb2
from emotional_ai.v1.engine_pb2 import Chemistry
from emotional_ai.web.page import colours
from emotional_ai.web.page.adapters import cards
from emotional_ai.web.page.health import part
from emotional_ai.web.page.health.pulse import Pulse

AWAY = "the service does not answer"


def test_every_mode_of_blending_has_words() -> None:
    assert set(cards.BLENDS) == set(inference_pb2.BlendMode.values())


def test_what_a_backend_does_not_say_of_its_model_is_left_out() -> None:
    told = cards.model(inference_pb2.GetModelResponse(name="tiny", backend="vllm", blend_modes=[1, 2]))
    assert told["name"] == "tiny"
    assert {"Precision", "Layers", "Context"} & told["facts"].keys() == set()
    assert told["facts"]["Blends"].startswith("exact: ")
    assert "nearest: " in told["facts"]["Blends"]
    assert told["facts"]["State"].startswith("not ready")


def test_adapters_keep_their_order_and_say_why_they_are_refused() -> None:
    levels = Chemistry(dopamine=0.9, serotonin=0.6, cortisol=0.3, oxytocin=0.5)
    told = cards.adapters(
        [
            inference_pb2.Adapter(
                name="high_dopamine",
                prototype=levels,
                scale=0.75,
                scale_calibrated=True,
                rank=8,
                metrics={"held_out_loss": 3.1, "auc": 0.97},
            ),
            inference_pb2.Adapter(name="other", refused="another base model"),
        ]
    )
    assert [one["name"] for one in told] == ["high_dopamine", "other"]
    assert told[0]["prototype"] == {"dopamine": 0.9, "serotonin": 0.6, "cortisol": 0.3, "oxytocin": 0.5}
    assert (told[0]["scale"], told[0]["calibrated"], told[0]["refused"]) == (0.75, True, "")
    assert (told[0]["colour"], told[1]["colour"]) == (colours.PROTOTYPES["high_dopamine"], colours.ADAPTERS[1])
    assert told[1]["refused"] == "another base model"
    assert [list(one["metrics"].items()) for one in told] == [[("auc", 0.97), ("held_out_loss", 3.1)], []]


async def answered() -> str:
    return "here"


async def failed(error: EmotionalAIError) -> str:
    raise error


async def test_a_part_that_answers_is_up_and_the_time_of_its_call_is_told() -> None:
    pulse = Pulse()
    assert part.part("Training", pulse)["milliseconds"] is None
    assert await pulse.take(answered()) == "here"
    told = part.part("Training", pulse, "jobs")
    assert (told["standing"], told["words"]) == ("up", "jobs")
    assert told["milliseconds"] is not None
    assert told["milliseconds"] >= 0


@pytest.mark.parametrize(
    ("error", "standing", "words"),
    [
        (FailedPrecondition("engine only", Details("LANGUAGE_OFF")), "off", "engine only"),
        (Unavailable("restarting", Details("MODEL_UNAVAILABLE")), "not ready", "restarting"),
        (Unavailable("connection refused"), "down", AWAY),
        (DeadlineExceeded("too late"), "down", AWAY),
    ],
)
async def test_a_part_that_fails_says_why(error: EmotionalAIError, standing: str, words: str) -> None:
    pulse = Pulse()
    await pulse.take(answered())
    assert await pulse.take(failed(error)) is None
    told = part.part("Language model", pulse, "about it")
    assert (told["standing"], told["words"]) == (standing, words)
    assert (told["milliseconds"] is None) == (words == AWAY)


async def test_a_model_that_takes_no_request_now_is_not_ready() -> None:
    pulse = Pulse()
    model = inference_pb2.GetModelResponse(name="tiny", backend="local", dtype="float32", ready=False)
    await pulse.take(answered())
    told = part.language(pulse, model)
    assert told["standing"] == "not ready"
    assert told["words"].startswith("tiny, local, float32; ")
    model.ready = True
    assert part.language(pulse, model)["standing"] == "up"


def test_jobs_are_counted_by_where_they_stand() -> None:
    statuses = ["QUEUED", "QUEUED", "RUNNING", "FAILED"]
    jobs = [training_pb2.Job(status=training_pb2.JobStatus.Value(f"JOB_STATUS_{one}")) for one in statuses]
    assert part.counts(7, jobs) == {"sessions": 7, "running": 1, "queued": 2, "jobs": 4}


def test_what_is_under_way_is_told_in_words() -> None:
    load = inference_pb2.GetLoadResponse(running=2, waiting=1, capacity=16, appraised=30, classified=12)
    assert part.under_way(load) == {
        "replies": "2 being decoded, 1 waiting (16 fit together)",
        "texts": "12 of 30 carried a signal (40 %)",
    }
    assert part.under_way(inference_pb2.GetLoadResponse()) == {
        "replies": "0 being decoded, 0 waiting",
        "texts": "none appraised yet",
    }
    assert set(part.under_way(None).values()) == {"–"}
