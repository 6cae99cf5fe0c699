"""Colours of Okabe and Ito, told apart by the colour-blind too, and the line that goes with each: never colour alone."""

from typing import Final

CHEMICALS: Final = {"dopamine": "#E69F00", "serotonin": "#0072B2", "cortisol": "#D55E00", "oxytocin": "#009E73"}
"""By name, as in the pictures of the command line."""
ON_DARK: Final = CHEMICALS | {"serotonin": "#56B4E9"}
"""The same where the ground is dark."""
DASHES: Final = {"dopamine": "solid", "serotonin": "dashed", "cortisol": "dotted", "oxytocin": "dashdot"}
"""Patterns of the lines: solid, dashed, dotted, dash and dot."""
ADAPTERS: Final = ("#E69F00", "#56B4E9", "#D55E00", "#009E73", "#F0E442", "#CC79A7", "#0072B2", "#999999")
"""For adapters, in the fixed order blends use; the ninth begins anew."""
SIGNALS: Final = ("#999933", "#882255", "#785EF0", "#8C564B", "#6A3D9A", "#FB9A99")
"""For what moves chemicals, none of them near the colour of one; told apart by the colour-blind. The seventh begins anew."""
BY_ITSELF: Final = "#8a9099"
"""For what the chemistry did by itself, and resets."""
PROTOTYPES: Final = {
    "high_dopamine": "#E69F00",
    "high_serotonin": "#56B4E9",
    "high_cortisol": "#D55E00",
    "high_oxytocin": "#009E73",
    "balanced": "#999999",
}
"""Adapters that have the colour of their chemical."""


def adapter(name: str, index: int) -> str:
    """The colour of an adapter: of its chemical, or of its place among the adapters."""
    return PROTOTYPES.get(name, ADAPTERS[index % len(ADAPTERS)])
