"""Converts a causal LM in Hugging Face form into the folder that `EmbeddedChat` runs.

The graph is made by onnxruntime-genai's model builder, which knows some thirty architectures. What the builder
leaves out is added: an int8 model with tied embeddings keeps its table once, as int8, not a second time as
float32 (a model of 5 million weights and 8,000 tokens: 7 MB instead of 15), and every token that ends a turn is named.

    python -m empathy_r1.training.export_embedded build/policy build/embedded --precision int8
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal, get_args

from empathy_r1.graph.errors import EmpathyR1Error, MissingExtraError, ModelNotFoundError

Precision = Literal["int8", "int4", "fp32"]
_TABLE = "model.embed_tokens.weight"


class ExportError(EmpathyR1Error):
    """The model could not be converted."""


def export(hf_dir: Path, out_dir: Path, *, precision: Precision) -> None:
    """Writes `out_dir` (model.onnx, its data, genai_config.json, tokenizer and chat template).

    Other files in `out_dir`, such as a gate or a model card, stay as they are. Needs the memory of the float32
    weights about twice.

    Raises:
        ModelNotFoundError: `hf_dir` holds no model.
        ExportError: the model is of a kind that cannot be converted, or the result does not run.
    """
    if not (hf_dir / "config.json").is_file():
        raise ModelNotFoundError(str(hf_dir), "a folder with config.json, weights and tokenizer (save_pretrained)")
    out_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out_dir.parent) as scratch:
        made = Path(scratch) / "made"
        _build(hf_dir, made, precision, Path(scratch) / "cache")
        if precision == "int8":
            _tie_int8_embeddings(made)
        _name_end_tokens(hf_dir, made)
        _try(made)
        for file in made.iterdir():
            shutil.move(file, out_dir / file.name)


def _build(hf_dir: Path, out_dir: Path, precision: Precision, cache: Path) -> None:
    tied = json.loads((hf_dir / "config.json").read_text("utf-8")).get("tie_word_embeddings", False)
    command = [sys.executable, "-m", "onnxruntime_genai.models.builder"]
    command += ["-i", str(hf_dir), "-o", str(out_dir), "-p", precision, "-e", "cpu", "-c", str(cache)]
    # The head of a prompt's last token is all that is ever read.
    command += ["--extra_options", "prune_lm_head=true", f"shared_embeddings={str(bool(tied)).lower()}"]
    # A process of its own gives the weights' memory back before the next step.
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if "No module named 'onnxruntime_genai" in done.stderr:
        raise MissingExtraError("Converting a model", "train")
    if done.returncode or not (out_dir / "model.onnx").is_file():
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-5:])
        raise ExportError(f"The model in {hf_dir} could not be converted. The model builder's last words:\n{last}")


def _tie_int8_embeddings(folder: Path) -> None:
    """Lets the embedding read the int8 weights of the tied head."""
    import onnx
    from onnx import helper

    model = onnx.load(folder / "model.onnx")
    graph = model.graph
    head = next((n for n in graph.node if n.op_type == "MatMulNBits" and n.name.startswith("/lm_head/")), None)
    gather = next((n for n in graph.node if n.op_type == "Gather" and n.input[0] == _TABLE), None)
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    if head is None or gather is None or len(head.input) > 3 or not _is_tied(tensors, head):
        return
    width = tensors[_TABLE].dims[1]
    size = {a.name: a.i for a in head.attribute}["block_size"]
    shape = helper.make_tensor("/embed/shape", onnx.TensorProto.INT64, [2], [tensors[_TABLE].dims[0], width])
    graph.initializer.append(shape)
    table = helper.make_node("Reshape", [head.input[1], shape.name], ["/embed/table"], "/embed/Reshape")
    read = helper.make_node(
        "GatherBlockQuantized",
        [table.output[0], gather.input[1], head.input[2]],
        list(gather.output),
        "/embed/GatherBlockQuantized",
        domain="com.microsoft",
        bits=8,
        block_size=size,
        gather_axis=0,
        quantize_axis=1,
    )
    at = list(graph.node).index(gather)
    graph.node.remove(gather)
    graph.node.insert(at, read)
    graph.node.insert(at, table)
    graph.initializer.remove(tensors[_TABLE])
    (folder / "model.onnx.data").unlink()
    onnx.save(model, folder / "model.onnx", save_as_external_data=True, location="model.onnx.data")


def _is_tied(tensors: dict[str, Any], head: Any) -> bool:
    """Whether the head's int8 weights are the embedding table's, to within a step of their scale."""
    import numpy as np
    from onnx import numpy_helper

    table = numpy_helper.to_array(tensors[_TABLE])
    coded = numpy_helper.to_array(tensors[head.input[1]])
    if coded.shape[0] != table.shape[0] or coded[0].size != table.shape[1]:
        return False
    scales = numpy_helper.to_array(tensors[head.input[2]]).reshape(coded.shape[:2])
    some = np.arange(0, len(table), max(1, len(table) // 64))
    decoded = (coded[some].astype(np.float32) - 128) * scales[some][..., None]
    return bool((abs(decoded - table[some].reshape(decoded.shape)) <= abs(scales[some][..., None]) * 1.01).all())


def _name_end_tokens(hf_dir: Path, folder: Path) -> None:
    """Ends a turn at every token that the configuration, the generation defaults or the tokenizer call its end."""
    from transformers import AutoTokenizer

    file = folder / "genai_config.json"
    config = json.loads(file.read_text("utf-8"))
    ends = {AutoTokenizer.from_pretrained(hf_dir).eos_token_id}
    for name in ("config.json", "generation_config.json"):
        if (hf_dir / name).is_file():
            found = json.loads((hf_dir / name).read_text("utf-8")).get("eos_token_id")
            ends |= set(found) if isinstance(found, list) else {found}
    config["model"]["eos_token_id"] = sorted(end for end in ends if end is not None)
    file.write_text(json.dumps(config, indent=2), "utf-8")


def _try(folder: Path) -> None:
    import numpy as np

    from empathy_r1.graph.models._decoder import Cache, Decoder

    try:
        logits = Cache(Decoder(folder, threads=1, parallel=1)).feed([0, 0])
    except Exception as error:
        raise ExportError(
            f"The converted model does not run: {error}. Expected a decoder of the usual kind."
        ) from error
    if not np.isfinite(logits).all():
        raise ExportError("The converted model gives numbers that are not finite. Check the weights.")


def main(argv: list[str] | None = None) -> None:
    """Command line: converts one folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder in Hugging Face form, with an adapter already merged")
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--precision", choices=get_args(Precision), default="int8")
    args = parser.parse_args(argv)
    export(args.model, args.out, precision=args.precision)
    size = sum(file.stat().st_size for file in args.out.iterdir() if file.is_file())
    print(f"{args.out}: {size / 1e6:.1f} MB, {args.precision}")  # noqa: T201


if __name__ == "__main__":
    main()
