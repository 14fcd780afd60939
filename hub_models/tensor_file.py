"""Tensors to model.safetensors and back, laid out so that loading may map the file.

PyTorch puts every tensor of its own at a multiple of 64 bytes. At other addresses its matrix
product may take another path and round the last bit differently (`python -m benchmarks.alignment`),
so only tensors at such multiples can be used where they lie in the file.
"""

import json
import mmap as mapping
import os
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from hub_models.errors import CheckpointError

ALIGNMENT: Final = 64  # bytes
MAX_HEADER_BYTES: Final = 2**20  # ResNet-152, the longest, needs a tenth of it
_DTYPES: Final = {
    torch.float64: "F64",
    torch.int64: "I64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
}


def pack_tensors(tensors: Mapping[str, Tensor]) -> bytes:
    """Write tensors as the content of a safetensors file.

    The safetensors library orders tensors by type and name and aligns none to more than 8 bytes.
    Here those whose size is a multiple of 64 bytes come first, so each begins at one. What is
    left over (some of batch norm, the head's bias) is small.

    Args:
        tensors: By name; floating, or int64 counters.

    Returns:
        The file's content; the same tensors always give the same bytes.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    content: list[memoryview] = []
    end = 0
    for name in sorted(tensors, key=lambda name: _place(name, tensors[name])):
        tensor = tensors[name]
        start, end = end, end + tensor.nbytes
        header[name] = {
            "dtype": _DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        content.append(flat.view(torch.uint8).numpy().data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)  # the format lets a header end in spaces
    return b"".join([len(text).to_bytes(8, "little"), text, *content])


def read_tensors(path: Path, *, mmap: bool = False) -> dict[str, Tensor]:
    """Read a safetensors file.

    Args:
        path: The file.
        mmap: Map the file instead of copying it. Whoever then writes into it changes the tensors,
            and whoever shortens it kills this process at the next look at them. To replace it by a
            rename, as `save_pretrained` does, is safe.

    Returns:
        Name -> tensor in the file's own type, each with memory of its own; that of a mapped one is
        the file's until it is changed, which changes a private copy, never the file.

    Raises:
        CheckpointError: If the file is damaged or no safetensors file, or changes meanwhile.
    """
    try:
        with open(path, "rb") as file:
            before = _look(file)
            start = 8 + int.from_bytes(file.read(8), "little")
            if start - 8 > MAX_HEADER_BYTES:  # the library would go on to 100 MB
                raise CheckpointError(
                    f"{path}: damaged or no safetensors file (a header of {start - 8:,} bytes, "
                    f"the limit is {MAX_HEADER_BYTES:,})"
                )
            # The library checks the header; it maps the tensors, so their content is not looked at.
            with safe_open(path, framework="pt") as checked:
                found = {name: checked.get_tensor(name) for name in checked.offset_keys()}
            tensors = _map(file, start, found) if mmap else _copy(file, start, found)
            if _look(file) != before or before[0] != start + sum(t.nbytes for t in found.values()):
                raise CheckpointError(f"{path}: changed while it was read; load it again")
            return tensors
    # TypeError: an empty tensor may have a side that PyTorch cannot count to.
    except (SafetensorError, OSError, EOFError, TypeError) as error:
        reason = (str(error).strip().split("\n", 1)[0] or type(error).__name__)[:200]
        raise CheckpointError(f"{path}: damaged or no safetensors file ({reason})") from error


def _look(file: BufferedReader) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


def _copy(file: BufferedReader, start: int, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Read tensors that lie one behind the other; a read that comes too late kills nobody."""
    file.seek(start)
    tensors = {name: torch.empty_like(tensor) for name, tensor in found.items()}
    for name, tensor in tensors.items():
        if file.readinto(tensor.view(-1).view(torch.uint8).numpy().data) != tensor.nbytes:
            raise EOFError(f"it ends before the end of {name!r}")
    return tensors


def _map(file: BufferedReader, start: int, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Map tensors, each as a storage of its own: a pickle of one must not hold the whole file."""
    content = np.frombuffer(mapping.mmap(file.fileno(), 0, access=mapping.ACCESS_COPY), np.uint8)
    tensors = {}
    for name, tensor in found.items():
        end = start + tensor.nbytes
        flat = torch.from_numpy(content[start:end]).view(tensor.dtype)
        tensors[name], start = flat.view(tensor.shape), end
    return tensors


def is_aligned(tensor: Tensor) -> bool:
    """Tell whether a tensor lies where PyTorch itself would have put it.

    Args:
        tensor: Any, on the CPU.

    Returns:
        True if it begins at a multiple of 64 bytes.
    """
    return tensor.data_ptr() % ALIGNMENT == 0


def _place(name: str, tensor: Tensor) -> tuple[bool, int, str]:
    # Larger elements first, so that each stays at a multiple of its own size.
    return tensor.nbytes % ALIGNMENT != 0, -tensor.element_size(), name
