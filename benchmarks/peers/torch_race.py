"""A plain PyTorch loop with torchvision's resnet18, from scratch.

default: as the ImageNet example: 224 pixels, random resized crops and mirroring, DataLoader with a worker per core,
batches of 64, SGD at 0.1 with momentum 0.9 and weight decay 1e-4, fp32.
best: pictures up to 96 pixels decoded once into memory, batches changed as tensors, channels-last, SGD with Nesterov
momentum and label smoothing. Where the processor has units for bf16 matrices also autocast to bf16, and small
pictures (up to 40) meet a first convolution of 3x3 and stride 1; without them that costs more epochs than it is worth
within minutes. Both follow the clock with the learning rate.
"""

import time
from collections.abc import Iterator

import deadline
import torch
import torch_pictures
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from torchvision import datasets, models, transforms

LARGEST, SMALL = 96, 40
CHUNK = 64
NORM = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
TEST = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(), NORM])
TRAIN = transforms.Compose(
    [transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), transforms.ToTensor(), NORM]
)


def prepared(task: deadline.Task, side: int, mirror: bool) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches without end, epoch after epoch."""
    if task.is_best:
        files, labels = zip(*task.learned(), strict=True)
        held = TensorDataset(torch_pictures.read(files, side), torch.tensor(labels))
        loader = DataLoader(held, min(CHUNK, len(held)), shuffle=True, drop_last=True)
    else:
        held = datasets.ImageFolder(task.train, TRAIN)
        workers = torch.get_num_threads()
        loader = DataLoader(held, CHUNK, shuffle=True, num_workers=workers, persistent_workers=True)
    while True:
        for pictures, labels in loader:
            yield torch_pictures.changed(torch_pictures.scaled(pictures), mirror) if task.is_best else pictures, labels


def network(classes: int, wide_first: bool) -> nn.Module:
    model = models.resnet18(weights=None, num_classes=classes)
    if wide_first:
        model.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    return model.to(memory_format=torch.channels_last)


@torch.inference_mode()
def predict(model: nn.Module, files: list, task: deadline.Task, side: int, half: bool) -> list[int]:
    model.eval()
    found = []
    for first in range(0, len(files), CHUNK):
        part = files[first : first + CHUNK]
        if task.is_best:
            x = torch_pictures.scaled(torch_pictures.read(part, side))
        else:
            x = torch.stack([TEST(datasets.folder.default_loader(str(path))) for path in part])
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            found += model(x.contiguous(memory_format=torch.channels_last)).argmax(1).tolist()
    return found


def main() -> None:
    task = deadline.asked()
    torch.manual_seed(task.seed)
    side, grey = torch_pictures.side_of(task, LARGEST) if task.is_best else (224, False)
    half = task.is_best and deadline.has_matrix_units()
    classes, files = task.classes(), task.tested()
    model = network(len(classes), half and side <= SMALL)
    predict(model, files[:8], task, side, half)
    begun = time.monotonic()
    predict(model, files[:CHUNK], task, side, half)
    task.set_aside((time.monotonic() - begun) * len(files) / min(CHUNK, len(files)))
    rate, decay = (0.05, 5e-4) if task.is_best else (0.1, 1e-4)
    optimizer = torch.optim.SGD(model.parameters(), rate, 0.9, weight_decay=decay, nesterov=task.is_best)
    model.train()
    steps = 0
    for pictures, labels in prepared(task, side, mirror=not grey):
        for group in optimizer.param_groups:
            group["lr"] = rate * deadline.rise_and_fall(task.share())
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            answers = model(pictures.contiguous(memory_format=torch.channels_last))
            loss = F.cross_entropy(answers, labels, label_smoothing=0.1 if task.is_best else 0.0)
        loss.backward()
        optimizer.step()
        steps += 1
        if task.is_over():
            break
    task.notes |= {"side": side, "steps": steps, "batch": CHUNK, "bf16": half}
    task.write(files, [classes[number] for number in predict(model, files, task, side, half)])


if __name__ == "__main__":
    main()
