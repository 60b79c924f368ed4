"""Networks: `striate.network(...)` is `striate.network.make.network(...)`."""

from striate.callable import make_callable

make_callable(__name__, "striate.network.make:network")
