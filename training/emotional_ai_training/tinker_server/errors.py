"""What the server refuses.

TinkerServerError
+-- InvalidRequest     a request that can never succeed as it is: 400, or a failed future of category "user"
+-- UnknownName        a model, run, checkpoint or sampler that is not here: 404, or the same kind of failed future
+-- Unauthenticated    no key, or another server's: 401
+-- Busy               the queue is full: 429, and the client tries again
+-- NotServable        the command's settings cannot be served; nothing was started
+-- ServerStartFailed  a server of our own did not come up; the message ends with its log
"""


class TinkerServerError(Exception):
    """Base of this package's errors; the message is meant for the person who called."""


class InvalidRequest(TinkerServerError):
    """A request that can never succeed as it is."""


class UnknownName(TinkerServerError):
    """Something named that is not here."""


class Unauthenticated(TinkerServerError):
    """No key, or one that is not this server's."""


class Busy(TinkerServerError):
    """More requests wait than the server keeps."""


class NotServable(TinkerServerError):
    """Settings that cannot be served."""


class ServerStartFailed(TinkerServerError):
    """A child server did not come up."""
