"""How much an evaluation asks: in full, and for a look."""

from emotional_ai_training.dataset.prompts import SpelledPrompt, held_out_prompts
from emotional_ai_training.dataset.rows import News, Split
from emotional_ai_training.steering.protocol import LEVELS, Probes, Protocol
from emotional_ai_training.steering.running import Plan


def full_plan(seed: int) -> Plan:
    """51 held-out prompts, 17 of each kind of news, two seeds; dialogues on 30 prompts and four seeds."""
    return Plan(
        Protocol(everyday(17), (seed, seed + 1)),
        Probes(everyday(10), tuple(range(seed, seed + 4))),
    )


def quick_plan(seed: int) -> Plan:
    """9 prompts and one seed, controls at the ends of the sweeps alone; dialogues on 6 prompts and two seeds."""
    return Plan(
        Protocol(everyday(3), (seed,), LEVELS, (0.0, 1.0), max_tokens=32),
        Probes(everyday(2), (seed, seed + 1)),
        safety_prompts=4,
    )


def everyday(each: int) -> tuple[SpelledPrompt, ...]:
    """The first held-out prompts of each kind of news; none was seen in training, nor anything on its topic."""
    prompts = held_out_prompts(Split.TEST)
    return tuple(prompt for news in News for prompt in [one for one in prompts if one.news is news][:each])
