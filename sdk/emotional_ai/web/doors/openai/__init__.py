"""OpenAI's API, as far as a feeling agent can serve it: chat completions and models.

    Starlette(routes=routes(client))

What to read, in order: `routes`, what a request is (bodies, taken apart by given) and what it asks for (turn, messages,
model_names, unsupported), which requests are one sent again (retries), how it is spoken (speaking) until whoever asked is gone
(hanging_up), the answer (completion, extension, event_stream), what is told when it cannot be done (refusals), and the list of
models (model_list).
"""

from emotional_ai.web.doors.openai.refusals import Problem
from emotional_ai.web.doors.openai.routes import routes

__all__ = ["Problem", "routes"]
