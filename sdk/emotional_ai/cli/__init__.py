"""The command line of the service's client.

app            the root command, its options, exit codes and errors
joined         commands of the other packages, found by entry points
reach          which service to talk to, and what to say when nobody answers
output         lines, JSON and errors; records: messages as JSON; figures: messages as text; files; shapes: JSON checked
state          state, signal
watch          watch; live: at a terminal, with recent (what is shown), scene and curves (how), screen (the terminal)
past           history, explain; spans: how a span is written
sessions       sessions list, create, update, delete, export, import; expressing: how much of what is felt shows
jobs           jobs start, list, show, watch, cancel, resume; progress: a job as it goes; reports: jobs as text and JSON
lab            simulate, conformance; reference: the file format of the latter
chat           chat; talk: turns and history; lines: a turn a line; terminal, with panel and feed: at a terminal;
               commands, otherwise: what is typed after a slash
language       appraise; batch: generate; rows: the lines of its files
status         status
web            web
plot           pictures; colours: one for each chemical, and a mark
"""

from emotional_ai.cli.app import app, run

__all__ = ["app", "run"]
