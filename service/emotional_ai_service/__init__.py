"""The Emotional AI service.

The command line:
commands, flags/          flags and environment into frozen settings; places: where what was given no place is kept
token_commands            tokens made, listed, renewed and ended, in the file that access/ reads
launch, fleet/            a process that serves, or several of them, until told to stop; failure: how a command gives up
page_beside               the page beside a conversation
doctor/                   looks an installation over; a command of its own

The edge:
server                    composition: settings in, a running server out
listening, storing        its address; its store
vitals                    its health, for those who ask before they call
edge                      what stands around every servicer: observation, the gate, the rules, accounts
guard, validation         who calls and the rules of the contract in, google.rpc.Status out
refusal, errors           what a caller is told of an error; what the service refuses
access/, callers          tokens, scopes and encryption; who calls
servicers/                one class per service; converts at the edge, holds no logic
streams                   the two state streams: credit, conflation, drain

Sessions:
engine, session           sessions over a log: writers in order, watchers, idempotency; room: how many are in memory
sharing, tether           the same where several replicas write to one log
life, wire/               a log as a life, folded; contract messages to core values and back
snapshots, continuing     a moment as bytes, and as the entry a log goes on from
retention, exports        letting go of the past; when a session was exported
stores/                   the log: memory, SQLite and Redis behind one Protocol
tenants/                  whose sessions they are, what tenants may use, who changed what
core/                     pure: dynamics, expression, labels, a session's life as a fold
calibration               fits the dynamics to an observed trajectory

Language:
language                  what understands and what speaks
appraisal/                text to signals
decoding/, workers/       the language model in its own process
repertoire, following     the adapters there are; replies that follow a state
safeguard/                the guard over what is said, what a reply must keep to, what is disclosed
jobs/                     training jobs: taken once, run one at a time, watched

observing/                metrics, traces, the log: put around the parts where they are asked for

For any of them:
bucket                    a token bucket
reread, toml_file         files that are read again when they change; TOML as people write settings
alongside                 work that goes on beside something
"""
