"""Kiro's settings: the bridge's entry in them, and whether Kiro could use it.

settings   the entry, and the text of mcp.json with it
document   a JSON text changed member by member
file       the file that holds it
probe      starts the server as Kiro does at its worst, and reports step by step
server     its process, and the lines it is spoken to with
limits     tool names and schemas Kiro cannot take
errors     what keeps an entry from being read or written
"""

from emotional_ai.kiro.errors import KiroError, SettingsBroken, SettingsUnreachable
from emotional_ai.kiro.file import read, settings_file, write
from emotional_ai.kiro.probe import Report, Step, Verdict, probe
from emotional_ai.kiro.server import Patience
from emotional_ai.kiro.settings import Entry, Flags, Merged, bridge_entry, entry, flags, merged, remarks

__all__ = [
    "Entry",
    "Flags",
    "KiroError",
    "Merged",
    "Patience",
    "Report",
    "SettingsBroken",
    "SettingsUnreachable",
    "Step",
    "Verdict",
    "bridge_entry",
    "entry",
    "flags",
    "merged",
    "probe",
    "read",
    "remarks",
    "settings_file",
    "write",
]
