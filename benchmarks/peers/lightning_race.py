"""Lightning with timm's resnet18, from scratch.

default: 224 pixels, timm's training transform, DataLoader with a worker per core, batches of 64, Adam at 1e-3, fp32.
best: pictures up to 96 pixels decoded once into memory, batches changed as tensors, channels-last, bf16-mixed where
the processor has units for it, AdamW at 2e-3 with the learning rate by the clock and label smoothing.
"""

import time
import warnings

import deadline
import lightning
import timm
import torch
import torch_pictures
from timm.data import create_transform
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from torchvision import datasets

LARGEST, CHUNK = 96, 64


class Classifier(lightning.LightningModule):
    """The network, its loss and its optimizer."""

    def __init__(self, task: deadline.Task, mirror: bool) -> None:
        super().__init__()
        self.task, self.mirror = task, mirror
        made = timm.create_model("resnet18", pretrained=False, num_classes=len(task.classes()))
        self.network = made.to(memory_format=torch.channels_last) if task.is_best else made

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x.contiguous(memory_format=torch.channels_last) if self.task.is_best else x)

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        pictures, labels = batch
        if self.task.is_best:
            pictures = torch_pictures.changed(torch_pictures.scaled(pictures), self.mirror)
        return F.cross_entropy(self(pictures), labels, label_smoothing=0.1 if self.task.is_best else 0.0)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        if self.task.is_best:
            return torch.optim.AdamW(self.parameters(), 2e-3, weight_decay=0.05)
        return torch.optim.Adam(self.parameters(), 1e-3)


class Clock(lightning.Callback):
    """Steers the learning rate by the time used, and stops when it is used up."""

    def __init__(self, task: deadline.Task) -> None:
        self.task = task

    def on_train_batch_start(self, trainer: lightning.Trainer, *rest: object) -> None:
        if self.task.is_best:
            for group in trainer.optimizers[0].param_groups:
                group["lr"] = 2e-3 * deadline.rise_and_fall(self.task.share())

    def on_train_batch_end(self, trainer: lightning.Trainer, *rest: object) -> None:
        trainer.should_stop = trainer.should_stop or self.task.is_over()


def training_set(task: deadline.Task, side: int) -> DataLoader:
    if task.is_best:
        files, labels = zip(*task.learned(), strict=True)
        held = TensorDataset(torch_pictures.read(files, side), torch.tensor(labels))
        return DataLoader(held, min(CHUNK, len(held)), shuffle=True, drop_last=True)
    held = datasets.ImageFolder(task.train, create_transform(224, is_training=True))
    return DataLoader(held, CHUNK, shuffle=True, num_workers=torch.get_num_threads(), persistent_workers=True)


@torch.inference_mode()
def predict(model: Classifier, files: list, side: int, half: bool) -> list[int]:
    model.eval()
    see, found = create_transform(224), []
    for first in range(0, len(files), CHUNK):
        part = files[first : first + CHUNK]
        if model.task.is_best:
            x = torch_pictures.scaled(torch_pictures.read(part, side))
        else:
            x = torch.stack([see(datasets.folder.default_loader(str(path))) for path in part])
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            found += model(x).argmax(1).tolist()
    return found


def main() -> None:
    warnings.filterwarnings("ignore")
    task = deadline.asked()
    lightning.seed_everything(task.seed, verbose=False)
    side, grey = torch_pictures.side_of(task, LARGEST) if task.is_best else (224, False)
    half = task.is_best and deadline.has_matrix_units()
    model, files, classes = Classifier(task, mirror=not grey), task.tested(), task.classes()
    predict(model, files[:8], side, half)
    begun = time.monotonic()
    predict(model, files[:CHUNK], side, half)
    task.set_aside((time.monotonic() - begun) * len(files) / min(CHUNK, len(files)))
    trainer = lightning.Trainer(
        accelerator="cpu", precision="bf16-mixed" if half else "32-true", max_epochs=-1, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, callbacks=[Clock(task)],
    )  # fmt: skip
    model.train()
    trainer.fit(model, training_set(task, side))
    task.notes |= {"side": side, "steps": trainer.global_step, "batch": CHUNK, "bf16": half}
    task.write(files, [classes[number] for number in predict(model, files, side, half)])


if __name__ == "__main__":
    main()
