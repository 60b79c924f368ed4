"""Keras with the tutorial's network (two 4x4 convolutions, one pool of stride 1, one hidden layer).

default: as the tutorial has it: 50x50 grey pictures, read anew in every epoch, batches of 32, Adam at 1e-3, fp32.
best: pictures in colour where they are, up to 64 pixels, from -1 to 1, decoded once (`cache`), shifted and mirrored
(grey ones not) in the input pipeline, batches of 64, mixed bf16 where the processor has units for it, and the learning
rate by the clock. Both stop within an epoch when time is up.
"""

import time

import deadline
import keras
import tensorflow as tf
from keras import layers
from PIL import Image

LARGEST = 64
SAMPLE = 64  # pictures in the trial prediction


def network(side: int, channels: int, classes: int, scaling: layers.Layer) -> keras.Model:
    """The tutorial's network, with the scaling of the pictures in it."""
    return keras.Sequential([
        layers.Input((side, side, channels)), scaling,
        layers.Conv2D(32, 4, padding="same", activation="relu"),
        layers.Conv2D(64, 4, padding="same", activation="relu"),
        layers.MaxPooling2D(2, strides=1), layers.Dropout(0.2), layers.Flatten(),
        layers.Dense(64, activation="relu"), layers.Dense(classes, activation="softmax", dtype="float32"),
    ])  # fmt: skip


class Clock(keras.callbacks.Callback):
    """Steers the learning rate by the time used, and stops when it is used up."""

    def __init__(self, task: deadline.Task, rate: float, steer: bool) -> None:
        super().__init__()
        self.task, self.rate, self.steer, self.steps = task, rate, steer, 0

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        if self.steer:
            self.model.optimizer.learning_rate = self.rate * deadline.rise_and_fall(self.task.share())

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.steps += 1
        if self.task.is_over():
            self.model.stop_training = True


def shape_of(task: deadline.Task) -> tuple[int, int]:
    """(side, channels) of the pictures: the tutorial's, or as they are up to LARGEST."""
    if not task.is_best:
        return 50, 1
    looked = [Image.open(path) for path, _ in task.learned()[::50]]
    short = sorted(min(picture.size) for picture in looked)[len(looked) // 2]
    return min(short, LARGEST), 1 if all(picture.mode in ("L", "1", "I;16") for picture in looked) else 3


def training_set(task: deadline.Task, options: dict, channels: int) -> tf.data.Dataset:
    read = keras.utils.image_dataset_from_directory
    if not task.is_best:
        return read(task.train, batch_size=32, seed=task.seed, **options).repeat()
    pictures = read(task.train, batch_size=None, seed=task.seed, **options).cache()
    changes = [layers.RandomTranslation(0.1, 0.1, fill_mode="reflect")]
    changes += [layers.RandomFlip("horizontal")] if channels == 3 else []

    def change(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        for layer in changes:
            x = layer(x, training=True)
        return x, y

    batches = pictures.repeat().shuffle(5000, seed=task.seed).batch(64)
    return batches.map(change, num_parallel_calls=tf.data.AUTOTUNE).prefetch(2)


def main() -> None:
    task = deadline.asked()
    keras.utils.set_random_seed(task.seed)
    half = task.is_best and deadline.has_matrix_units()
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if half else "float32")
    (side, channels), classes = shape_of(task), task.classes()
    options = {"image_size": (side, side), "color_mode": "grayscale" if channels == 1 else "rgb", "verbose": False}
    scaling = layers.Rescaling(1 / 127.5, offset=-1) if task.is_best else layers.Rescaling(1 / 255)
    model = network(side, channels, len(classes), scaling)
    rate = 1e-3
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    tests = keras.utils.image_dataset_from_directory(
        task.folder / "test", labels=None, shuffle=False, batch_size=64, **options
    )
    files = tests.file_paths
    model.predict(tests.take(1), verbose=0)
    begun = time.monotonic()
    model.predict(tests.take(1), verbose=0)
    task.set_aside((time.monotonic() - begun) * len(files) / min(SAMPLE, len(files)))
    clock = Clock(task, rate, task.is_best)
    model.fit(training_set(task, options, channels), steps_per_epoch=10**9, epochs=1, verbose=0, callbacks=[clock])
    task.notes |= {"side": side, "channels": channels, "steps": clock.steps, "bf16": half}
    chances = model.predict(tests, verbose=0)
    task.write(files, [classes[number] for number in chances.argmax(axis=1)])


if __name__ == "__main__":
    main()
