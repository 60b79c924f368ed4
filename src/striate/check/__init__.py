"""The data doctor: `striate.check(...)` is `striate.train.doctor.check(...)`, which also asks quick networks."""

from striate.callable import make_callable

make_callable(__name__, "striate.train.doctor:check")
