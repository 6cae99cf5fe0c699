"""The Emotional AI service.

commands, flags/       flags and environment into frozen settings; builds and runs the server
server                 composition: store, engine, language, servicers, health, reflection, drain
guard, validation      the edge: rules of the contract in, google.rpc.Status out
servicers/             one class per service; converts at the edge, holds no logic
streams                the two state streams: credit, conflation, drain
engine, session        sessions over a log: writers in order, watchers, idempotency
room                   how many of them are in memory
tenants/               whose sessions they are, what tenants may use, who changed what
stores/                the log: memory and SQLite behind one Protocol
wire, snapshots        contract messages and bytes to core values and back
appraisal/             text to signals
safeguard/             the guard over what is said, what a reply must keep to, what is disclosed
decoding/, workers/    the language model in its own process
jobs/                  training jobs: taken once, run one at a time, watched
observing/             metrics, traces, the log: put around the parts where they are asked for
doctor/                looks an installation over; a command of its own
calibration            fits the dynamics to an observed trajectory
core/                  pure: dynamics, expression, labels, a session's life as a fold
"""
