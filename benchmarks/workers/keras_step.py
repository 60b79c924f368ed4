"""Training steps of the tutorial's network in Keras: python keras_step.py hela BATCH POLICY, with KERAS_BACKEND set.

POLICY is "float32" or "mixed_bfloat16". Batches lie ready in memory. On TensorFlow the step is tried with and
without XLA and the faster of the two runs.
"""

import itertools
import sys
import time
from collections.abc import Callable

import keras
from drawn import pictures
from keras import layers
from turns import serve

CLASSES, READY = 10, 8


def network(jit: bool) -> keras.Model:
    """The tutorial's network, ready to be fitted."""
    model = keras.Sequential([
        layers.Input((50, 50, 1)),
        layers.Conv2D(32, 4, padding="same", activation="relu"),
        layers.Conv2D(64, 4, padding="same", activation="relu"),
        layers.MaxPooling2D(2, strides=1), layers.Dropout(0.2), layers.Flatten(),
        layers.Dense(64, activation="relu"), layers.Dense(CLASSES, activation="softmax", dtype="float32"),
    ])  # fmt: skip
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy", jit_compile=jit)
    return model


class Watch(keras.callbacks.Callback):
    """When the first step began."""

    begun = 0.0

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        if batch == 0:
            self.begun = time.perf_counter()


def steps_of(model: keras.Model, batch: int) -> Callable[[int], dict]:
    stored, labels = pictures(READY * batch, 50, 1, CLASSES)
    x = (stored.astype("float32") / 255).reshape(READY, batch, 50, 50, 1)
    y = labels.reshape(READY, batch)

    def run(count: int) -> dict:
        watch = Watch()
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            ready = tf.data.Dataset.from_tensor_slices((x, y)).repeat().prefetch(2)
        else:
            ready = (one for one in itertools.cycle(zip(x, y, strict=True)))  # Keras takes generators only
        done = model.fit(ready, steps_per_epoch=count, verbose=0, callbacks=[watch])
        return {"seconds": time.perf_counter() - watch.begun, "loss": float(done.history["loss"][-1])}

    return run


def main(batch: int, policy: str) -> None:
    keras.utils.set_random_seed(0)
    keras.mixed_precision.set_global_policy(policy)
    best = None
    for jit in (True,) if keras.backend.backend() == "jax" else (False, True):
        run = steps_of(model := network(jit), batch)
        run(2)
        seconds = run(3)["seconds"]
        if best is None or seconds < best[0]:
            best = (seconds, jit, run, model)
    _, jit, run, model = best
    precision = {"float32": "fp32", "mixed_bfloat16": "mixed bf16"}[policy]
    about = {"batch": batch, "precision": precision, "xla": jit, "parameters": model.count_params(), "threads": None}
    serve(about, run=run)


if __name__ == "__main__":
    main(int(sys.argv[2]), sys.argv[3])
