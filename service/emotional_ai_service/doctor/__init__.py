"""`emotional-ai doctor`: looks an installation over, and says of whatever is not right what mends it. It changes nothing.

finding       what a look comes to: a line, its standing, and the command that mends it
settings      what is looked at: the same flags as `serve` has
command       the command: every look, in order
installation  Python, and the packages of each extra
models        models in the cache, and adapters that fit them
machine       processor, memory, files, clock
places        the store, directories, ports
access        tokens and certificates
training      where training is done
running       the service that runs, if one does

A look imports what it needs when it looks: where a package is missing, that look says so and the others go on.
"""
