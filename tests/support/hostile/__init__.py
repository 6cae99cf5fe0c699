"""Hostile input by the hundred thousand, and what must hold whatever comes (`make fuzz`).

inputs.py     mutations: of bytes, of messages by their descriptors, of JSON, of names
running.py    draws inputs for a target by number, bounds each in time, and tells what came of them
tally.py      what is told: inputs, refusals, memory, the slowest, and what broke
calls.py      a gRPC method called in this process, from bytes to status, and what every refusal must hold
corpus.py     sound requests of every method, that mutations begin with
rpcs.py       every rpc, from serialised requests;  sequences.py  streams in any order
exports.py    imports of sessions;  wired.py  every rpc over a real channel
asgi.py       an HTTP application called in this process
tinkering.py  the Tinker-compatible server;  bridging.py  the MCP bridge;  doors.py  the doors of the page

An input is made of the seed, the target's name and its number alone, so any of them can be had again:
`python -m hostile --target rpcs --first 4711 --inputs 1 --seed 1`.
"""
