"""The command line of the service's client.

app            the root command, its options, exit codes and errors
joined         commands of the other packages, found by entry points
reach          which service to talk to, and what to say when nobody answers
output         lines, JSON and errors; records: messages as JSON; figures: messages as text
state          state, signal, watch
past           history, explain; spans: how a span is written
sessions       sessions list, create, delete, export, import
lab            simulate; conformance with its file format in reference
language       appraise, generate; rows: the lines of generate's files
chat           chat; talk: turns and history; lines: one turn a line; terminal and panel: at a terminal
plot           pictures
"""

from emotional_ai.cli.app import app, run

__all__ = ["app", "run"]
