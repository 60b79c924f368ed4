"""The servers: `striate.serve(...)` is `striate.serve.start.serve(...)`, predictions over HTTP."""

from striate.callable import make_callable

make_callable(__name__, "striate.serve.start:serve")
