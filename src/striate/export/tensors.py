"""Named tensors and a JSON header in one .safetensors file that proves its own completeness.

No pickle is read or written. The header holds a SHA-256 over all tensors and the other header values:
safetensors itself would load a flipped bit in silence.
"""

import hashlib
import json
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from striate import files
from striate.errors import StriateError
from striate.export.underway import HEADER

DIGEST = "sha256"
FORMAT = 1


def write_tensors(path: Path, tensors: dict[str, Tensor], header: dict) -> None:
    """Write both to `path`, atomically."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps({"format": FORMAT, **header}, ensure_ascii=False, sort_keys=True)
    metadata = {HEADER: text, DIGEST: _digest(plain, text)}
    files.write_bytes(path, _in_order(safetensors.torch.save(plain, metadata)))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict]:
    """The tensors and the header of a file of ours; a damaged or foreign one is refused."""
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        text = metadata[HEADER]
        header = json.loads(text)
    except (OSError, SafetensorError, ValueError, KeyError, RecursionError) as error:
        rule = "a model file is a .safetensors file written by striate"
        remedy = "give a run folder or its model.safetensors"
        raise StriateError(rule, received=f"{type(error).__name__}: {error}", where=path, remedy=remedy) from error
    if metadata.get(DIGEST) != _digest(tensors, text):
        raise StriateError("a model file must be whole", received="its SHA-256 does not match", where=path)
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        newer = header.get("format") if isinstance(header, dict) else header
        raise StriateError(f"this version reads format {FORMAT}", received=newer, where=path, remedy="update striate")
    return tensors, header


def _in_order(data: bytes) -> bytes:
    """The same file with a sorted header: safetensors orders its metadata anew in every process."""
    size = int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8 : 8 + size]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # tensors start at a multiple of 8 bytes
    return len(header).to_bytes(8, "little") + header + data[8 + size :]


def _digest(tensors: dict[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
