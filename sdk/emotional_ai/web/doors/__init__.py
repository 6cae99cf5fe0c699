"""The doors for programs, on the page's address: every rpc of the contract by HTTP, and OpenAI's chat API.

    curl, scripts --JSON, lines--> entrance --> lines --+
    Connect, gRPC-Web clients ---> entrance ------------+--> connect (the library) --> forwarding --> upstream --gRPC--> service

connect.py      the application, made of the contract's descriptors
entrance.py     refuses in words what no door takes; hands on nothing of a request but what the protocol needs
lines.py        streams as a JSON message a line
codecs.py       JSON to the letter of the contract
forwarding.py   a call carried to the service, with its deadline and its end
upstream.py     the channels to the service
refusals.py     errors of the service as those of the protocol, details included
openai/         OpenAI's chat API
"""

from emotional_ai.web.doors.connect import PREFIXES, connect_app
from emotional_ai.web.doors.upstream import Upstream

__all__ = ["PREFIXES", "Upstream", "connect_app"]
