"""Training data: short conversations, each in one emotional state, written from a grammar and checked by the judge.

rows         Row, the schema of training_data.jsonl, and writing it: the same rows give the same bytes
reading      reading it back, every field checked and named
templates    text with choices
prompts      what people say, and which part of the data each prompt belongs to
replies      what the agent says in each state of any topic
written      what it says in each state to one prompt
states       the levels a row is told
dealing      which row of those that express a state is told which of them
continuing   replies begun by the grammar, gone on with by the base model
drafting     a prompt, a reply and a state, and the row made of them
filtering    which drafts the judge lets pass
preparing    prepare: drafts, judged, until every part has its rows
report       what was kept and dropped, as a table
pairing      GoEmotions texts as replies, where they answer a prompt
dialogues    replies from a file in the format of EmpatheticDialogues
language     which texts of others an agent may say
borrowing    the two put together
errors       what all this refuses
data/        the prompts and replies
"""

from emotional_ai_training.dataset.errors import (
    DatasetError,
    DataUnreadable,
    MalformedRow,
    NothingLeft,
    TargetUnwritable,
    UnknownState,
)
from emotional_ai_training.dataset.filtering import StateJudge
from emotional_ai_training.dataset.preparing import PrepareConfig, Prepared, Speaker, prepare
from emotional_ai_training.dataset.prompts import SpelledPrompt, held_out_prompts
from emotional_ai_training.dataset.reading import read_rows
from emotional_ai_training.dataset.report import PreparationReport, report_table
from emotional_ai_training.dataset.rows import (
    REPLAY,
    STATE_LABELS,
    Labels,
    Message,
    News,
    Role,
    Row,
    Source,
    Split,
    write_rows,
)

__all__ = [
    "REPLAY",
    "STATE_LABELS",
    "DataUnreadable",
    "DatasetError",
    "Labels",
    "MalformedRow",
    "Message",
    "News",
    "NothingLeft",
    "PreparationReport",
    "PrepareConfig",
    "Prepared",
    "Role",
    "Row",
    "Source",
    "Speaker",
    "SpelledPrompt",
    "Split",
    "StateJudge",
    "TargetUnwritable",
    "UnknownState",
    "held_out_prompts",
    "prepare",
    "read_rows",
    "report_table",
    "write_rows",
]
