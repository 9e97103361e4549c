"""A GGUF file of some kilobytes with random weights: real llama.cpp without any download.

It speaks nonsense, deterministically: one layer of the `llama` architecture over single bytes. The
layout is that of GGUF version 3 (the specification in ggml's documentation).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

_SIZE, _HEADS, _HIDDEN, _CONTEXT = 32, 2, 64, 8192
_SPECIAL = [b"<unk>", b"<s>", b"</s>", b"<|turn|>", b"<|end|>"]
_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6
_ALIGNMENT = 32
_U32, _F32, _STRING, _ARRAY, _BOOL, _I32 = 4, 6, 8, 9, 7, 5
TEMPLATE = (
    "{% for m in messages %}<|turn|>{{ m['role'] }}: {{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant: {% endif %}"
)


def write_tiny_gguf(path: Path, *, with_template: bool = True, seed: int = 0) -> Path:
    """Write the file; `with_template` makes it a chat model, else it is a base model."""
    rng = np.random.default_rng(seed)
    words = [chr(c) for c in range(33, 127)]
    tokens = [*_SPECIAL, *(b"<0x%02X>" % n for n in range(256)), "\u2581".encode()]
    tokens += [word.encode() for word in words]
    kinds = [_UNKNOWN, *[_CONTROL] * 4, *[_BYTE] * 256, *[_NORMAL] * (1 + len(words))]
    values = _metadata(tokens, kinds, TEMPLATE if with_template else None)
    tensors = {name: _draw(rng, shape) for name, shape in _shapes(len(tokens)).items()}
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(values)) + b"".join(values)
    offset, infos, blobs = 0, [], []
    for name, tensor in tensors.items():
        dims = tensor.shape[::-1]
        infos.append(
            _string(name.encode()) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, 0, offset)
        )
        blob = _padded(tensor.tobytes())
        blobs.append(blob)
        offset += len(blob)
    path.write_bytes(_padded(head + b"".join(infos)) + b"".join(blobs))
    return path


def _metadata(tokens: list[bytes], kinds: list[int], template: str | None) -> list[bytes]:
    values = [
        _pair("general.architecture", _STRING, _string(b"llama")),
        _pair("tokenizer.ggml.model", _STRING, _string(b"llama")),
        _pair("tokenizer.ggml.tokens", _ARRAY, _array(_STRING, map(_string, tokens))),
        _pair("tokenizer.ggml.scores", _ARRAY, _array(_F32, [struct.pack("<f", 0.0)] * len(kinds))),
        _pair("tokenizer.ggml.token_type", _ARRAY, _array(_I32, [_int(k) for k in kinds])),
        _pair("tokenizer.ggml.add_space_prefix", _BOOL, b"\0"),
        _pair("llama.attention.layer_norm_rms_epsilon", _F32, struct.pack("<f", 1e-5)),
    ]
    numbers = {
        "llama.context_length": _CONTEXT,
        "llama.embedding_length": _SIZE,
        "llama.block_count": 1,
        "llama.feed_forward_length": _HIDDEN,
        "llama.attention.head_count": _HEADS,
        "llama.rope.dimension_count": _SIZE // _HEADS,
        "llama.vocab_size": len(tokens),
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.eot_token_id": 4,
    }
    values += [_pair(name, _U32, _int(number)) for name, number in numbers.items()]
    if template is not None:
        values.append(_pair("tokenizer.chat_template", _STRING, _string(template.encode())))
    return values


def _shapes(vocabulary: int) -> dict[str, tuple[int, ...]]:
    square, wide, tall = (_SIZE, _SIZE), (_HIDDEN, _SIZE), (_SIZE, _HIDDEN)
    return {
        "token_embd.weight": (vocabulary, _SIZE),
        "output_norm.weight": (_SIZE,),
        "output.weight": (vocabulary, _SIZE),
        "blk.0.attn_norm.weight": (_SIZE,),
        **{f"blk.0.attn_{part}.weight": square for part in ("q", "k", "v", "output")},
        "blk.0.ffn_norm.weight": (_SIZE,),
        "blk.0.ffn_gate.weight": wide,
        "blk.0.ffn_up.weight": wide,
        "blk.0.ffn_down.weight": tall,
    }


def _draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    if len(shape) == 1:
        return np.ones(shape, np.float32)
    return rng.normal(0, 0.3, shape).astype(np.float32)


def _pair(name: str, kind: int, value: bytes) -> bytes:
    return _string(name.encode()) + _int(kind) + value


def _array(kind: int, values: Any) -> bytes:
    parts = list(values)
    return _int(kind) + struct.pack("<Q", len(parts)) + b"".join(parts)


def _string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def _int(number: int) -> bytes:
    return struct.pack("<I", number)


def _padded(content: bytes) -> bytes:
    return content + b"\0" * (-len(content) % _ALIGNMENT)
