"""The web page: one more client of the contract, for people; and doors on the same address, for every other client.

    browser --HTTP, websocket--> Gate (who may come in) --> page --> Hub --gRPC--> service
    any client --HTTP/JSON-----> Gate ------------------> doors ----------gRPC--> service

What to read, in order: settings, access and gate (who may come in), hub (one stream a session, shared by all pages),
conversation (what is said in a session, kept for all pages), page (what is shown), doors (Connect and OpenAI), application (how
they are put together), serving.

`application.serve(settings, ...)` serves it. It is not imported here: the command must be able to say that the extra `web` is
missing.
"""

from emotional_ai.web.settings import DEFAULT_PORT, WebSettings

__all__ = ["DEFAULT_PORT", "WebSettings"]
