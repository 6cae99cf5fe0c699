"""What is measured in every round of the blending benchmark, and the ratios that are told."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Blending(Enum):
    """Which blends the sessions of a scene speak with."""

    BASE = "base"
    """None: the base model."""
    SHARED = "shared"
    """One for all."""
    OWN = "own"
    """Each its own."""


class Adapters(Enum):
    """Which five adapters."""

    WIDE = "wide"
    """Random, rank 16 on all seven linear layers."""
    SHIPPED = "shipped"
    """Those in loras/, rank 8 on q, k, v and o."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Replies of one contender."""

    contender: str
    blending: Blending
    sessions: int
    adapters: Adapters = Adapters.WIDE
    way: str = ""
    served: int = 0
    """Of these sessions, how many are served in a turn by who serves one after the other; 0 for all."""
    whole: bool = True
    """Whether the quick form leaves it out."""

    @property
    def key(self) -> str:
        """Its name in results."""
        shipped = ("shipped",) if self.adapters is Adapters.SHIPPED and self.blending is not Blending.BASE else ()
        return " ".join([self.contender, self.blending.value, *shipped, *filter(None, [self.way]), str(self.sessions)])


@dataclass(frozen=True, slots=True)
class Ratio:
    """Tokens per second of one scene over those of another, round by round; of the fastest where several are named."""

    name: str
    of: str
    over: tuple[str, ...]
    wanted: float


def _scenes() -> Iterable[Scene]:
    for sessions in (1, 4, 16):
        quick = sessions != 4
        yield Scene("ours", Blending.BASE, sessions, whole=not quick)
        yield Scene("ours", Blending.OWN, sessions, whole=not quick)
        yield Scene("ours", Blending.SHARED, sessions)
        yield Scene("genai", Blending.BASE, sessions)
        yield Scene("genai", Blending.SHARED, sessions)
        yield Scene("ours", Blending.OWN, sessions, Adapters.SHIPPED)
        yield Scene("ours-int8", Blending.OWN, sessions)
    yield Scene("transformers", Blending.BASE, 1, whole=False)
    yield Scene("ours", Blending.OWN, 16, way="moving")
    yield Scene("ours", Blending.OWN, 16, way="sampled")
    yield Scene("ours-int8", Blending.BASE, 1)
    yield Scene("ours-int8", Blending.BASE, 16)
    yield Scene("genai", Blending.OWN, 16, served=4)
    yield Scene("transformers", Blending.OWN, 16, way="cat", served=2)
    yield Scene("transformers", Blending.OWN, 16, way="scales", served=2, whole=False)
    yield Scene("vllm", Blending.SHARED, 16)
    for contender in ("genai-int8", "genai-int4"):
        for sessions in (1, 16):
            yield Scene(contender, Blending.BASE, sessions)
            yield Scene(contender, Blending.SHARED, sessions)
    yield Scene("llama-cpp", Blending.BASE, 1)


SCENES: Final = tuple(_scenes())
RATIOS: Final = (
    Ratio("16 blends against openvino-genai one by one", "ours own 16", ("genai own 16",), 12),
    Ratio(
        "16 blends against PEFT one by one",
        "ours own 16",
        ("transformers own cat 16", "transformers own scales 16"),
        25,
    ),
    Ratio("16 blends against vLLM with one adapter for all", "ours own 16", ("vllm shared 16",), 8),
    *(
        Ratio(f"one shared blend against openvino-genai, batch {n}", f"ours shared {n}", (f"genai shared {n}",), 1.3)
        for n in (1, 4, 16)
    ),
    Ratio("blended, batch 1, against generate of the base", "ours own 1", ("transformers base 1",), 1.4),
    *(Ratio(f"blended against our base, batch {n}", f"ours own {n}", (f"ours base {n}",), 0.75) for n in (1, 16)),
    *(
        Ratio(f"shipped adapters against our base, batch {n}", f"ours own shipped {n}", (f"ours base {n}",), 0.75)
        for n in (1, 16)
    ),
    *(
        Ratio(f"our base against openvino-genai's, batch {n}", f"ours base {n}", (f"genai base {n}",), 0.95)
        for n in (1, 4, 16)
    ),
    Ratio("blended, batch 16 against batch 1", "ours own 16", ("ours own 1",), 10),
    Ratio("a blend that moves at every token against one that stands", "ours own moving 16", ("ours own 16",), 0.9),
)
