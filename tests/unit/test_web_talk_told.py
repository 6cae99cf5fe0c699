"""What the browser is told of a conversation: plain JSON, with every text as it is."""

import json

from emotional_ai.v1 import engine_pb2
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.web.conversation import Bounds, Grown, Outcome, Part, Reply, Supposed, Turn, Voice
from emotional_ai.web.page.colours import PROTOTYPES
from emotional_ai.web.page.talk import told

SCRIPT = "<script>alert('x')</script> & \u2028 *bold*"
BLEND = [pb.AdapterWeight(adapter="high_cortisol", weight=0.75), pb.AdapterWeight(adapter="mine", weight=0.25)]


def spoken() -> Reply:
    """A finished reply of two voices, in a state supposed."""
    reply = Reply("1", Supposed("high_cortisol", engine_pb2.Chemistry(cortisol=0.9)))
    chemistry = engine_pb2.Chemistry(dopamine=0.25, serotonin=0.5, cortisol=0.75, oxytocin=0.5)
    expression = pb.Expression(
        chemistry=chemistry,
        blend=BLEND,
        temperature=0.75,
        top_p=0.5,
        label=engine_pb2.EMOTION_LABEL_ANXIETY,
        conditioning="<CO=0.75>",
        gloss=" mood: anxious",
    )
    started = pb.ReplyStarted(
        state=engine_pb2.EmotionalState(version=7),
        expression=expression,
        seed=2**64 - 1,
        intensity=0.25,
        flags=["storm"],
        disclosure="You talk to a program.\n<b>",
    )
    reply.begin(started)
    reply.say(pb.ReplyText(text=SCRIPT, token_index=0, token_count=4))
    reply.change(pb.BlendChange(token_index=4, blend=BLEND[1:], temperature=1.0, top_p=0.5))
    reply.say(pb.ReplyText(text="!", token_index=4, token_count=1))
    usage = pb.Usage(prompt_tokens=9, completion_tokens=5, total_seconds=0.5)
    applied = pb.AppliedExpression(model="tiny", blend_mode=pb.BLEND_MODE_EXACT)
    reply.finish(pb.ReplyFinished(reason=pb.FINISH_REASON_LENGTH, usage=usage, applied=applied))
    reply.end(Outcome.FINISHED)
    return reply


def turn() -> Turn:
    appraisal = pb.Appraisal(
        signals=engine_pb2.Signals(threat=0.5),
        classified=True,
        emotions=[pb.TextEmotion(name="fear", probability=0.75)],
    )
    return Turn(1, SCRIPT, pb.Sampling(max_tokens=5), "id", 1, spoken(), appraisal)


def test_a_turn_is_told_as_json_and_no_text_is_changed() -> None:
    record = told.turn(turn())
    assert json.loads(json.dumps(record))["text"] == SCRIPT
    assert json.loads(json.dumps(record))["replies"][0]["parts"] == [[0, SCRIPT], [1, "!"]]


def test_a_reply_is_told_with_the_state_it_was_spoken_in_and_a_seed_too_great_for_a_number_of_the_browser() -> None:
    reply = told.reply(spoken())
    assert reply["spoken"] == {
        "version": 7,
        "label": "anxiety",
        "levels": {"dopamine": 0.25, "serotonin": 0.5, "cortisol": 0.75, "oxytocin": 0.5},
        "valence": 0.0,
        "arousal": 0.0,
        "temperature": 0.75,
        "top_p": 0.5,
        "seed": "18446744073709551615",
        "told": "<CO=0.75> mood: anxious",
        "intensity": 0.25,
        "flags": ["storm"],
        "disclosed": ["You talk to a program.", "<b>"],
    }
    assert (reply["supposed"], reply["outcome"], reply["tokens"]) == ("high_cortisol", "finished", 5)


def test_every_adapter_of_a_voice_has_its_weight_and_its_colour() -> None:
    (voice,) = told.voices([Voice(3, (("high_cortisol", 0.75), ("mine", 0.25)), 1.0, 0.5)])
    assert voice["token"] == 3
    blend = voice["blend"]
    assert isinstance(blend, list)
    assert [one[:2] for one in blend] == [("high_cortisol", 0.75), ("mine", 0.25)]
    assert blend[0][2] == PROTOTYPES["high_cortisol"]
    assert len({colour for *_, colour in blend}) == 2


def test_how_a_reply_ended_is_told_in_words() -> None:
    assert told.reply(spoken())["ended"] == {
        "reason": "length",
        "tokens": 5,
        "prompt_tokens": 9,
        "seconds": 0.5,
        "model": "tiny",
        "mode": "exact",
    }


def test_of_a_reply_that_has_not_begun_it_is_told_that_it_has_not() -> None:
    reply = told.reply(Reply("1"))
    assert (reply["spoken"], reply["ended"], reply["parts"], reply["voices"]) == (None, None, [], [])


def test_what_was_heard_is_told_and_that_nothing_could_be() -> None:
    heard = {"classified": True, "signals": [("threat", 0.5)], "emotions": [("fear", 0.75)]}
    assert told.turn(turn())["heard"] == heard
    assert told.heard(pb.Appraisal()) == {"classified": False, "signals": [], "emotions": []}


def test_each_change_is_told_by_its_kind() -> None:
    grown = Grown("1", (), (Part(0, "a"),), 7)
    assert told.change(grown) == {"grown": {"key": "1", "voices": [], "parts": [(0, "a")], "tokens": 7}}
    assert told.change(Bounds(2, 3)) == {"bounds": {"kept": 2, "sent": 3}}
    assert list(told.change(turn())) == ["turn"]


def test_what_other_clients_had_a_session_feel_is_told_and_not_what_was_said_or_pressed_here() -> None:
    def entry(sequence: int, request_id: str, **signals: float) -> engine_pb2.LogEntry:
        stimulus = engine_pb2.Stimulus(event=engine_pb2.Signals(**signals))
        return engine_pb2.LogEntry(sequence=sequence, request_id=request_id, stimulus=stimulus)

    created = engine_pb2.LogEntry(sequence=1, request_id="made", created=engine_pb2.SessionCreated())
    skipped = engine_pb2.LogEntry(sequence=5, request_id="later", stimulus=engine_pb2.Stimulus(skip_minutes=3))
    entries = [created, entry(2, "here", praise=0.5), entry(3, "", reward=0.5), entry(4, "there", loss=0.5), skipped]
    assert told.elsewhere(entries, {"here"}) == [{"sequence": 4, "signals": [("loss", 0.5)], "note": ""}]
    many = [entry(sequence, "there", loss=0.5) for sequence in range(1, 100)]
    assert [one["sequence"] for one in told.elsewhere(many, ())] == list(range(50, 100))
