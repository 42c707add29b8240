"""A causal LM in ONNX Runtime: tokens in, next-token logits out, with a key-value cache that can be cut and forked.

The folder is one that onnxruntime-genai's model builder writes: `model.onnx` whose GroupQueryAttention nodes
take `past_key_values.N.{key,value}` and give `present.N.{key,value}`, and `genai_config.json`. Past and present
are bound to the same memory, so a step writes its keys in place, and going back is setting a length.
"""

import json
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from empathy_r1.graph.errors import ModelNotFoundError

FIRST_CAPACITY = 512
"""Tokens that a new cache has room for; it doubles when it is full."""
FEED = 64
"""Most tokens of one run: a long prompt neither holds up the other conversations nor delays its own end."""
_DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class Decoder:
    """An ONNX Runtime session and what the folder says about its model. Safe to use from many threads."""

    def __init__(self, folder: Path, threads: int, parallel: int) -> None:
        config = _config(folder)
        model, decoder = config["model"], config["model"]["decoder"]
        self.context: int = model["context_length"]
        """Most tokens of a prompt and its answer."""
        end = model["eos_token_id"]
        self.ends = frozenset(end if isinstance(end, list) else [end])
        """Tokens that end the model's turn."""
        self.layers: int = decoder["num_hidden_layers"]
        self.heads: int = decoder["num_key_value_heads"]
        self.head_size: int = decoder["head_size"]
        self.vocabulary: int = model["vocab_size"]
        self.session = _session(folder / decoder["filename"], threads)
        inputs = {item.name: item.type for item in self.session.get_inputs()}
        logits = next(item for item in self.session.get_outputs() if item.name == "logits")
        _check(folder, config, set(inputs), self.layers)
        self.dtype: Any = _DTYPES[inputs["past_key_values.0.key"]]
        self.logits_dtype: Any = _DTYPES[logits.type]
        self.logits_of_last_only = logits.shape[1] == 1
        self.has_positions = "position_ids" in inputs
        self.mask = np.ones((1, self.context), np.int64)
        self.turnstile = Turnstile(parallel)

    @property
    def token_bytes(self) -> int:
        """Bytes that one token takes in a cache."""
        return 2 * self.layers * self.heads * self.head_size * int(np.dtype(self.dtype).itemsize)


class Cache:
    """Keys and values of one token sequence. One thread at a time may feed it."""

    def __init__(self, decoder: Decoder, capacity: int = FIRST_CAPACITY) -> None:
        self.decoder = decoder
        self.tokens: list[int] = []
        self.capacity = min(capacity, decoder.context)
        self._arrays = [self._array() for _ in range(2 * decoder.layers)]
        self._binding = self._bind()

    @property
    def nbytes(self) -> int:
        """Bytes of memory that it holds."""
        return self.capacity * self.decoder.token_bytes

    def feed(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Appends at most `FEED` tokens and returns the logits [vocabulary] of what follows them."""
        if len(self.tokens) + len(tokens) > self.capacity:
            self._grow(len(self.tokens) + len(tokens))
        start, end = len(self.tokens), len(self.tokens) + len(tokens)
        self._input("input_ids", np.array([tokens], np.int64))
        self._input("attention_mask", self.decoder.mask[:, :end])
        if self.decoder.has_positions:
            self._input("position_ids", np.arange(start, end, dtype=np.int64)[None])
        rows = 1 if self.decoder.logits_of_last_only else len(tokens)
        logits = np.empty((1, rows, self.decoder.vocabulary), self.decoder.logits_dtype)
        self._binding.bind_output("logits", "cpu", 0, logits.dtype.type, logits.shape, logits.ctypes.data)
        with self.decoder.turnstile:
            self.decoder.session.run_with_iobinding(self._binding)
        # A failed or repeated run leaves the sequence as it was.
        self.tokens.extend(tokens)
        last: NDArray[np.float32] = logits[0, -1].astype(np.float32, copy=False)
        return last

    def rewind(self, length: int) -> None:
        """Forgets all but the first `length` tokens."""
        del self.tokens[length:]

    def fork(self, length: int) -> "Cache":
        """A copy of the first `length` tokens; works while another thread feeds this one."""
        copy = Cache(self.decoder, max(FIRST_CAPACITY, _doubled(length)))
        for mine, theirs in zip(copy._arrays, self._arrays, strict=True):
            mine[:, :, :length] = theirs[:, :, :length]
        copy.tokens = self.tokens[:length]
        return copy

    def _array(self) -> NDArray[Any]:
        d = self.decoder
        return np.empty((1, d.heads, self.capacity, d.head_size), d.dtype)

    def _grow(self, length: int) -> None:
        self.capacity = min(self.decoder.context, _doubled(length))
        arrays = [self._array() for _ in self._arrays]
        for new, old in zip(arrays, self._arrays, strict=True):
            new[:, :, : len(self.tokens)] = old[:, :, : len(self.tokens)]
        self._arrays = arrays
        self._binding = self._bind()

    def _bind(self) -> Any:
        binding = self.decoder.session.io_binding()
        for at, array in enumerate(self._arrays):
            name = f"{at // 2}.{'value' if at % 2 else 'key'}"
            place = ("cpu", 0, self.decoder.dtype, array.shape, array.ctypes.data)
            binding.bind_input(f"past_key_values.{name}", *place)
            binding.bind_output(f"present.{name}", *place)
        return binding

    def _input(self, name: str, array: NDArray[np.int64]) -> None:
        # Kept here: the binding holds an address only.
        setattr(self, f"_{name}", array)
        self._binding.bind_input(name, "cpu", 0, np.int64, array.shape, array.ctypes.data)


class Turnstile:
    """Lets `permits` threads in at a time, strictly in the order in which they came.

    Conversations that decode at the same time pass it token by token, so that a long reply delays nobody.
    """

    def __init__(self, permits: int) -> None:
        self._permits = permits
        self._lock = threading.Lock()
        self._line: deque[threading.Lock] = deque()

    def __enter__(self) -> None:
        with self._lock:
            if self._permits:
                self._permits -= 1
                return
            ticket = threading.Lock()
            ticket.acquire()
            self._line.append(ticket)
        ticket.acquire()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._line:
                self._line.popleft().release()
            else:
                self._permits += 1


def _doubled(length: int) -> int:
    return 1 << (length - 1).bit_length()


def _config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / "genai_config.json").read_text("utf-8"))
    except FileNotFoundError:
        raise ModelNotFoundError(
            str(folder),
            "a folder with genai_config.json, made by: python -m empathy_r1.training.export_embedded MODEL FOLDER",
        ) from None
    return config


def _check(folder: Path, config: dict[str, Any], inputs: set[str], layers: int) -> None:
    past = {f"past_key_values.{at}.{name}" for at in range(layers) for name in ("key", "value")}
    known = {"input_ids", "attention_mask", "position_ids", *past}
    if not past <= inputs <= known or not config["search"]["past_present_share_buffer"]:
        raise ModelNotFoundError(
            str(folder), "a text model made for the CPU, with a key-value cache that is read and written in place"
        )


def _session(file: Path, threads: int) -> ort.InferenceSession:
    if not file.is_file():
        raise ModelNotFoundError(str(file), "the model's ONNX file, named in genai_config.json")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A thread that spins between two tokens takes the core from the web server.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelNotFoundError(str(file), f"an ONNX model that onnxruntime can load, but it said: {error}") from error
