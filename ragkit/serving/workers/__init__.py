"""``ragkit serve --workers N``: processes that listen on one socket, each with a model of its own.

    supervisor    starts them, replaces those that end, says when a new generation is served
    worker        what one of them does
    member        what they share, and what a worker and the supervisor tell each other

Their indexes are one: they map the same files, which the system holds in memory once.
"""
