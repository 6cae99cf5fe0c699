"""What the panel `touch` makes of what a visitor does: stimuli, time scales, forms and files of configurations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai import SIGNALS, Aborted, InvalidArgument, SessionConfig
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.web.page.touch import form, keeping, passing, press, published, replacing

CONFIG = published.everything()


def rid_of(*parts: str) -> SessionConfig:
    """The defaults without some of what can be switched off."""
    config = published.everything()
    for part in parts:
        config.dynamics.ClearField(part)
    return config


# ---- signals


def test_every_signal_has_a_button_and_a_meaning() -> None:
    assert sorted(press.PLEASANT + press.UNPLEASANT) == sorted(SIGNALS)
    assert set(press.MEANINGS) == set(SIGNALS)


def test_a_press_is_an_event_with_its_note() -> None:
    assert press.event({"praise": 0.7}, "<b>") == pb.Stimulus(event=pb.Signals(praise=0.7), note="<b>")


def test_signals_are_held_for_simulated_minutes_and_none_at_all_end_it() -> None:
    held = pb.SustainedSignals(signals=pb.Signals(threat=0.4, loss=1.0), duration_minutes=30)
    assert press.held({"threat": 0.4, "loss": 1.0}, 30) == pb.Stimulus(sustained=held)
    assert press.held({}, 0).sustained.HasField("signals")


def test_a_name_that_is_no_signal_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="pride"):
        press.event({"pride": 0.7})


def test_signals_are_told_in_words() -> None:
    assert press.told({"social_warmth": 0.4, "praise": 1}) == "social warmth 0.40, praise 1.00"


# ---- time


def test_a_time_scale_changes_nothing_else() -> None:
    frozen = passing.at_scale(CONFIG, 0)
    assert frozen.dynamics.HasField("time_scale")
    assert frozen.dynamics.time_scale == 0
    assert CONFIG.dynamics.time_scale == 10
    assert replacing.alike(frozen, CONFIG)


def test_a_frozen_session_goes_on_as_fast_as_it_went_last() -> None:
    began = pb.LogEntry(sequence=1, created=pb.SessionCreated(config=passing.at_scale(CONFIG, 30)))
    faster = pb.LogEntry(sequence=2, configured=passing.at_scale(CONFIG, 60))
    heard = pb.LogEntry(sequence=3, stimulus=press.event({"praise": 1}))
    frozen = pb.LogEntry(sequence=4, configured=passing.at_scale(CONFIG, 0))
    assert passing.moving_scale([began, faster, heard, frozen]) == 60
    assert passing.moving_scale([began, frozen]) == 30
    assert passing.moving_scale([heard, frozen]) == passing.USUAL


# ---- what an editor began with, and what is in force


def test_an_edit_takes_the_place_of_what_it_began_with_and_keeps_the_time_scale() -> None:
    edited = published.everything()
    edited.dynamics.half_life_minutes.dopamine = 40
    wished = replacing.instead_of(CONFIG, edited)(passing.at_scale(CONFIG, 60))
    assert wished.dynamics.half_life_minutes.dopamine == 40
    assert wished.dynamics.time_scale == 60
    assert edited.dynamics.time_scale == 10


@pytest.mark.parametrize("other", [rid_of("mood"), rid_of("habituation"), published.filled(SessionConfig())])
def test_an_edit_does_not_take_the_place_of_what_somebody_else_wrote(other: SessionConfig) -> None:
    with pytest.raises(Aborted, match="changed elsewhere") as told:
        replacing.instead_of(CONFIG, CONFIG)(other)
    assert told.value.reason == replacing.REPLACED


# ---- forms


def test_a_form_holds_every_field_and_comes_back_as_it_went() -> None:
    given = form.form_of(CONFIG)
    assert form.config_of(given) == CONFIG
    assert not list(form.holes(given))


def test_fields_left_empty_are_named_by_their_path() -> None:
    given = {
        "dynamics": {"half_life_minutes": {"dopamine": None, "cortisol": 3}, "gains": [{"gain": {"cortisol": None}}]}
    }
    assert list(form.holes(given)) == ["dynamics.half_life_minutes.dopamine", "dynamics.gains[0].gain.cortisol"]


def test_a_form_of_something_else_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="JSON of a configuration"):
        form.config_of({"dynamics": {"mood": 1}})


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("coupling.dopamine", "dynamics.coupling.dopamine"),
        ("config.coupling.dopamine.serotonin", "dynamics.coupling.dopamine.serotonin"),
        ("config.dynamics.mood.kappa.cortisol", "dynamics.mood.kappa.cortisol"),
        ("config.expression.base_top_p", "expression.base_top_p"),
        ("gains.social_warmth.oxytocin", "dynamics.gains.social_warmth.oxytocin"),
        ("config.gains[3].gain.oxytocin", "dynamics.gains.social_warmth.oxytocin"),
        ("config.dynamics.gains[11].gain.cortisol", "dynamics.gains.boredom.cortisol"),
    ],
)
def test_what_the_service_calls_a_field_leads_to_its_place_in_the_editor(field: str, path: str) -> None:
    assert form.path_of(field, CONFIG) == path


def test_presets_are_traits_in_their_range() -> None:
    for name, traits in form.PRESETS.items():
        assert all(0 <= trait <= 1 for trait in traits), name
    assert len(form.TRAITS) == 5


# ---- files


@given(
    st.sets(st.sampled_from(("mood", "circadian", "habituation"))),
    st.floats(0.1, 1e5),
    st.floats(-3, 3),
    st.sampled_from(("baseline", "personality")),
)
def test_a_file_reads_back_as_it_was_written(off: set[str], half_life: float, coupling: float, rests: str) -> None:
    config = rid_of(*off)
    config.dynamics.half_life_minutes.oxytocin = half_life
    config.dynamics.coupling.cortisol.dopamine = coupling
    if rests == "personality":
        config.dynamics.ClearField("baseline")
        config.dynamics.personality.neuroticism = 0.9
    assert form.read(form.written(config)) == config


def test_a_file_that_leaves_something_out_is_filled_in() -> None:
    config = form.read('{"dynamics": {"mood": {"tau_minutes": 90}, "gains": [{"signal": "SIGNAL_LOSS", "gain": {}}]}}')
    assert config.dynamics.mood.tau_minutes == 90
    assert config.dynamics.mood.kappa.dopamine == 1.2
    assert config.dynamics.gains[9].gain == pb.ChemicalVector()
    assert config.dynamics.gains[8] == CONFIG.dynamics.gains[8]
    assert not config.dynamics.HasField("circadian")
    assert config.expression == CONFIG.expression


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "which is an object"),
        ("null", "which is an object"),
        ("{", "JSON of a configuration"),
        ('{"dynamics": {"couplings": {}}}', 'no field named "couplings"'),
        ('{"dynamics": {"gains": [{"signal": "SIGNAL_JOY"}]}}', "SIGNAL_JOY"),
        ('{"dynamics": {"gains": [{"gain": {}}]}}', r"dynamics\.gains\[0\]\.signal: must name one of the twelve"),
        (
            '{"dynamics": {"gains": [{"signal": 3}, {"signal": 3}]}}',
            r"dynamics\.gains\[1\]\.signal: names a signal twice",
        ),
        ('{"dynamics": ' + '{"mood": ' * 200 + "1" + "}" * 201, "JSON of a configuration"),
    ],
)
def test_a_file_that_is_none_is_refused_saying_where(text: str, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        form.read(text)


# ---- texts in parts


@given(st.lists(st.text(max_size=20), min_size=1, max_size=8))
def test_a_text_sent_in_parts_arrives_whole(parts: list[str]) -> None:
    arriving = keeping.Parts()
    *early, last = [arriving.add(index, len(parts), part) for index, part in enumerate(parts)]
    assert set(early) <= {None}
    assert last == "".join(parts)


def test_parts_out_of_order_are_refused_and_the_next_text_is_taken() -> None:
    arriving = keeping.Parts()
    arriving.add(0, 3, "a")
    with pytest.raises(InvalidArgument, match="did not arrive whole"):
        arriving.add(2, 3, "c")
    assert arriving.add(0, 1, "whole") == "whole"


def test_a_text_beyond_what_the_service_takes_is_refused() -> None:
    arriving = keeping.Parts()
    arriving.add(0, 3, "a" * keeping.MOST)
    with pytest.raises(InvalidArgument, match=str(keeping.MOST)):
        arriving.add(1, 3, "b")
