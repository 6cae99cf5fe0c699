"""What an evaluation asks: everything once, on the same draws, with what a control leaves out left out."""

import itertools
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from emotional_ai_service.decoding.messages import DEFAULT_MIN_P
from emotional_ai_training.conditioning import ADAPTERS, BASELINE, REST_TEMPERATURE
from emotional_ai_training.dataset import News, Split, held_out_prompts
from emotional_ai_training.dataset.prompts import load_prompts
from emotional_ai_training.steering import safety
from emotional_ai_training.steering.asking import Answer, Replies, request
from emotional_ai_training.steering.errors import RepliesUnusable
from emotional_ai_training.steering.plans import everyday, full_plan, quick_plan
from emotional_ai_training.steering.protocol import CONTROLS, LEVELS, Arm, Part, Protocol, Question, at, corners
from emotional_ai_training.steering.wording import in_words

PLAN = quick_plan(1)
QUESTIONS = list(PLAN.protocol.steering())
ANXIOUS = at(2, 1.0)


def question(arm: Arm, state: tuple[float, float, float, float] = ANXIOUS) -> Question:
    return Question(Part.CONTROL, arm, "cortisol=1", state, "bad:keys", "I lost my keys.", 7)


def test_nothing_is_asked_twice() -> None:
    asked = [*QUESTIONS, *safety.questions(1)]
    assert len({one.key for one in asked}) == len(asked)


def test_the_full_evaluation_asks_what_was_promised() -> None:
    plan = full_plan(1)
    counts = Counter(one.part for one in plan.protocol.steering())
    prompts = len(plan.protocol.prompts)
    assert prompts >= 50
    assert len(plan.protocol.seeds) >= 2
    assert counts[Part.SWEEP] == 4 * 9 * prompts * 2
    assert counts[Part.CORNER] == 16 * prompts
    assert counts[Part.CONTROL] == len(CONTROLS) * 4 * 5 * prompts


def test_a_quick_evaluation_asks_few_prompts_of_every_part_but_dialogues() -> None:
    full = full_plan(1)
    assert len(PLAN.protocol.prompts) * 5 < len(full.protocol.prompts)
    assert len(QUESTIONS) * 10 < sum(1 for _ in full.protocol.steering())
    assert {one.part for one in QUESTIONS} == {one.part for one in full.protocol.steering()}


def test_prompts_are_held_out_from_training_with_their_topics() -> None:
    asked = {prompt.topic for prompt in everyday(17)}
    assert Counter(prompt.news for prompt in everyday(17)) == dict.fromkeys(News, 17)
    assert asked <= {prompt.topic for prompt in held_out_prompts(Split.TEST)}
    learned = {(one.news, one.topic) for one in load_prompts() if one.split is not Split.TEST}
    assert not learned & {(prompt.news, prompt.topic) for prompt in everyday(17)}


def test_every_state_and_arm_answers_a_prompt_with_the_same_draws() -> None:
    seeds = defaultdict(set)
    for one in QUESTIONS:
        seeds[one.prompt_id].add(one.seed)
    assert all(len(found) == 1 for found in seeds.values())
    assert len(set(itertools.chain.from_iterable(seeds.values()))) == len(seeds)


def test_a_shuffled_state_is_one_of_the_sweep_and_says_nothing_of_its_place() -> None:
    plan = Protocol(everyday(17), (1,))
    shuffled = [one for one in plan.steering() if one.arm is Arm.SHUFFLED]
    for one in shuffled:
        chemical = ("dopamine", "serotonin", "cortisol", "oxytocin").index(one.point.partition("=")[0])
        assert one.state in [at(chemical, level) for level in plan.control_levels]
    for point in {one.point for one in shuffled}:
        assert len({one.state for one in shuffled if one.point == point}) == 5


def test_corners_are_all_that_are_low_or_high() -> None:
    assert len({state for _, state in corners()}) == 16
    assert dict(corners())["lhlh"] == (0.15, 0.85, 0.15, 0.85)


@pytest.mark.parametrize(
    ("arm", "blended", "told", "sampled"),
    [
        (Arm.FULL, True, True, True),
        (Arm.SHUFFLED, True, True, True),
        (Arm.MATCHED, True, True, False),
        (Arm.TOKENS, False, True, False),
        (Arm.ADAPTERS, True, False, False),
        (Arm.SAMPLING, False, False, True),
        (Arm.WORDS, False, False, False),
        (Arm.PLAIN, False, False, False),
    ],
)
def test_an_arm_is_sent_what_it_is_made_of(arm: Arm, blended: bool, told: bool, sampled: bool) -> None:
    messages, under, sampling = request(question(arm), 40)
    assert under.chemistry.cortisol == 1.0
    assert [(one.adapter, one.weight) for one in under.blend] == ([] if blended else [(ADAPTERS[-1], 0.0)])
    assert under.without_conditioning is not told
    assert sampling.HasField("temperature") is not sampled
    assert sampled or sampling.temperature == REST_TEMPERATURE
    assert (sampling.max_tokens, sampling.seed, sampling.min_p) == (40, 7, DEFAULT_MIN_P)
    assert len(messages) == (2 if arm is Arm.WORDS else 1)


def test_the_control_in_words_says_what_a_person_would() -> None:
    assert in_words(ANXIOUS, BASELINE).startswith("You feel extremely anxious, tense and worried.")
    assert in_words(at(3, 0.0), BASELINE).startswith("You feel extremely distant and guarded.")
    assert in_words(BASELINE, BASELINE).startswith("You feel as usual")


def test_a_protocol_that_cannot_be_carried_out_is_refused() -> None:
    with pytest.raises(ValueError, match="needs prompts"):
        Protocol(())
    with pytest.raises(ValueError, match="control levels must be among"):
        Protocol(everyday(1), control_levels=(0.3,))
    assert set(PLAN.protocol.control_levels) <= set(LEVELS)


SETTINGS = {"model": "a model", "adapters": {"balanced": "0a"}}


def kept(path: Path, count: int) -> list[Answer]:
    answers = [Answer(one, f"Naïve {i}\n", i) for i, one in enumerate(QUESTIONS[:count])]
    with Replies(path, SETTINGS).appending() as keep:
        for answer in answers:
            keep(answer)
    return answers


def test_replies_are_kept_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "replies.jsonl"
    answers = kept(path, 5)
    assert list(Replies(path, SETTINGS).load().values()) == answers


def test_a_reply_that_was_half_written_is_asked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    answers = kept(path, 5)
    path.write_bytes(path.read_bytes()[:-9])
    assert list(Replies(path, SETTINGS).load().values()) == answers[:4]
    with Replies(path, SETTINGS).appending() as keep:
        keep(answers[4])
    assert list(Replies(path, SETTINGS).load().values()) == answers


@pytest.mark.parametrize("cut", range(1, 24))
def test_wherever_the_last_reply_is_cut_the_others_are_found(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "replies.jsonl"
    answers = kept(path, 3)
    path.write_bytes(path.read_bytes()[:-cut])
    assert list(Replies(path, SETTINGS).load().values()) == answers[:2]


def test_replies_of_another_model_are_not_mixed_in(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    kept(path, 1)
    with pytest.raises(RepliesUnusable, match="holds replies of other settings"):
        Replies(path, {"model": "another"}).load()


@pytest.mark.parametrize("line", ["no JSON", "[]", '{"text": "without its question", "tokens": 3}'])
def test_a_damaged_file_is_named_with_the_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "replies.jsonl"
    kept(path, 1)
    with path.open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(RepliesUnusable, match=r"replies\.jsonl, line 3"):
        Replies(path, SETTINGS).load()
