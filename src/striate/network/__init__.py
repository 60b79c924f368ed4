"""Networks: `striate.network(...)` is `striate.network.build.network(...)`."""

from striate.callable import make_callable

make_callable(__name__, "striate.network.build:network")
