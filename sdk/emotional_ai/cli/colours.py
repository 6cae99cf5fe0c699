"""A colour and a mark for each chemical. The colours are those of Okabe and Ito, told apart by the colour-blind too."""

from typing import Final

COLOURS: Final = {"dopamine": "#E69F00", "serotonin": "#0072B2", "cortisol": "#D55E00", "oxytocin": "#009E73"}
MARKS: Final = {"dopamine": "●", "serotonin": "■", "cortisol": "▲", "oxytocin": "◆"}
"""What tells them apart where there is no colour."""
