"""Training: `striate.train(...)` is `striate.train.run.train(...)`."""

from striate.callable import make_callable

make_callable(__name__, "striate.train.run:train")
