"""Conversion, and what serving sends and says against transformers: same tokens in, same greedy text out."""

import json
import random
import shutil
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from empathy_r1.graph import wire
from empathy_r1.graph.chat_template import CHAT_TEMPLATE
from empathy_r1.graph.errors import ModelNotFoundError
from empathy_r1.graph.graph import graph
from empathy_r1.graph.models.embedded import EmbeddedChat
from empathy_r1.graph.prompts import continue_prompt
from empathy_r1.graph.state import Context

torch = pytest.importorskip("torch", reason="the 'train' extra is not installed")
transformers = pytest.importorskip("transformers")
pytest.importorskip("onnxruntime_genai")

from empathy_r1.training.export_embedded import ExportError, export, main  # noqa: E402

SPEAKER = Path(__file__).parents[1] / "serving" / "model"
"""A Qwen3 of half a million weights that speaks the wire format (tests/tools/make_tiny_model.py)."""
POST = "连着三次面试都被拒了，我不敢接家里的电话，觉得自己一样都做不成。晚上睡不着，白天也没有力气。"
ROLES = {"human": "user", "ai": "assistant", "system": "system"}

QWEN_LIKE = """
{%- set ns = namespace(last=messages|length - 1) %}
{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'system' %}{% continue %}{% endif %}
    {%- set content = message.content.split('</think>')[-1].strip() %}
    {%- if message.role == 'assistant' and loop.index0 == ns.last %}
        {{- '<|im_start|>assistant\\n<think>\\n\\n</think>\\n\\n' + content + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
"""A template of the kind that big models bring: loop controls, a namespace, stripped messages, a thinking block."""


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    made = {}

    def folder(precision):
        if precision not in made:
            made[precision] = tmp_path_factory.mktemp("model") / precision
            export(SPEAKER, made[precision], precision=precision)
        return made[precision]

    return folder


@pytest.fixture(scope="module")
def tokenizer():
    return transformers.AutoTokenizer.from_pretrained(SPEAKER)


@pytest.fixture(scope="module")
def torch_model():
    return transformers.AutoModelForCausalLM.from_pretrained(SPEAKER, dtype=torch.float32).eval()


def expected_tokens(tokenizer, messages):
    continued = isinstance(messages[-1], AIMessage)
    plain = [{"role": ROLES[m.type], "content": m.text} for m in messages]
    options = {"continue_final_message": True} if continued else {"add_generation_prompt": True}
    return tokenizer.apply_chat_template(plain, tokenize=True, return_dict=True, **options)["input_ids"]


def conversations():
    dice = random.Random(3)
    alphabet = "我你难过，。！？\n\t  aB<>/|`{}%😔🌧é\u200d\u00a0０"
    for _ in range(25):
        words = ["".join(dice.choices(alphabet, k=dice.randint(0, 30))) for _ in range(6)]
        yield [SystemMessage(words[0]), HumanMessage(words[1])]
        yield [SystemMessage(words[0]), HumanMessage(words[1]), AIMessage(words[2]), HumanMessage(words[3])]
        yield [HumanMessage(words[1]), AIMessage(words[2]), HumanMessage(words[3]), AIMessage("答" + words[4])]
    for section in wire.SECTIONS:
        chain = dict.fromkeys(wire.SECTIONS[: wire.SECTIONS.index(section)], "焦虑/强｜怕")
        yield continue_prompt([HumanMessage(POST), AIMessage("好"), HumanMessage(POST)], chain, section, "zh")


@pytest.mark.parametrize("template", [CHAT_TEMPLATE, QWEN_LIKE], ids=["ours", "qwen-like"])
def test_serving_sends_the_tokens_of_transformers(converted, tokenizer, tmp_path, template):
    folder = shutil.copytree(converted("fp32"), tmp_path / "model")
    (folder / "chat_template.jinja").write_text(template, "utf-8")
    model, tokenizer = EmbeddedChat(folder), transformers.AutoTokenizer.from_pretrained(SPEAKER)
    tokenizer.chat_template = template
    for messages in conversations():
        assert model._runtime.text.prompt(messages) == expected_tokens(tokenizer, messages)


def test_greedy_text_is_that_of_transformers(converted, tokenizer, torch_model):
    model = EmbeddedChat(converted("fp32"), max_tokens=120)
    for messages in (
        continue_prompt([HumanMessage(POST)], {}, "emotion", "zh"),
        continue_prompt([HumanMessage(POST * 6)], {"emotion": "焦虑/强｜怕"}, "cause", "zh"),
        continue_prompt([HumanMessage("I failed again. " * 9)], {}, "emotion", "en"),
        [HumanMessage("Nothing that it knows: 0xDEADBEEF, 龘靐齉")],
    ):
        prompt = torch.tensor([expected_tokens(tokenizer, messages)])
        with torch.no_grad():
            whole = torch_model.generate(
                prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=120
            )
        said = tokenizer.decode(whole[0, prompt.shape[1] :], skip_special_tokens=True)
        assert model.invoke(messages).text == said.rstrip("\ufffd")


@pytest.mark.parametrize("precision", ["fp32", "int8", "int4"])
async def test_the_graph_speaks_with_a_converted_model(converted, precision):
    context = Context(model=EmbeddedChat(converted(precision)), reveal_chain=True)
    result = await graph.ainvoke({"messages": [("user", POST)]}, context=context)
    assert len(result["messages"][-1].text) > 20
    timings = [result["timings"][node] for node in ("cause", "intention", "response") if node in result["timings"]]
    read = sum(t["input_tokens"] for t in timings)
    assert sum(t["cached_tokens"] for t in timings) >= 0.95 * read > 0
    if precision != "int4":
        assert result["degraded"] is None
        assert all(result["chain"].values())


def test_int8_keeps_one_table(converted):
    import onnx

    model = onnx.load(converted("int8") / "model.onnx", load_external_data=False)
    assert "GatherBlockQuantized" in {node.op_type for node in model.graph.node}
    assert not any(tensor.name == "model.embed_tokens.weight" for tensor in model.graph.initializer)
    size = (converted("int8") / "model.onnx.data").stat().st_size
    assert size < (converted("fp32") / "model.onnx.data").stat().st_size


def test_every_end_of_a_turn_is_named(converted, tokenizer):
    model = json.loads((converted("fp32") / "genai_config.json").read_text("utf-8"))["model"]
    assert tokenizer.eos_token_id in model["eos_token_id"]


def test_other_files_in_the_folder_stay(tmp_path):
    (tmp_path / "gate.json").write_text("{}")
    main([str(SPEAKER), str(tmp_path), "--precision", "fp32"])
    assert (tmp_path / "gate.json").read_text() == "{}"
    assert {f.name for f in tmp_path.iterdir()} > {"model.onnx", "tokenizer.json", "chat_template.jinja"}


def test_no_model_and_no_such_kind(tmp_path):
    with pytest.raises(ModelNotFoundError, match="save_pretrained"):
        export(tmp_path, tmp_path / "out", precision="int8")
    for file in SPEAKER.iterdir():
        shutil.copy(file, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    (tmp_path / "config.json").write_text(json.dumps(config | {"architectures": ["T5ForConditionalGeneration"]}))
    with pytest.raises(ExportError, match="could not be converted"):
        export(tmp_path, tmp_path / "out", precision="int8")


@pytest.mark.parametrize("layers", [2])
def test_the_shape_of_qwen3_0_6b(tmp_path, layers):
    """Random weights in every width of Qwen3-0.6B (h1024, 16/8 heads of 128, 151,936 tokens), `layers` of 28 layers."""
    source = tmp_path / "hf"
    tokenizer = transformers.AutoTokenizer.from_pretrained(SPEAKER)
    torch.manual_seed(0)
    shape = transformers.Qwen3Config(
        vocab_size=151936,
        hidden_size=1024,
        intermediate_size=3072,
        num_hidden_layers=layers,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=128,
        max_position_embeddings=40960,
        rope_theta=1_000_000,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        dtype="bfloat16",
    )
    transformers.Qwen3ForCausalLM(shape).to(torch.bfloat16).save_pretrained(source)
    tokenizer.save_pretrained(source)
    export(source, tmp_path / "out", precision="int4")
    model = EmbeddedChat(tmp_path / "out", threads=2)
    first = model.invoke([HumanMessage(POST), AIMessage("<emotion>\n")], max_tokens=8)
    assert first.usage_metadata["output_tokens"] == 8
    again = model.invoke([HumanMessage(POST), AIMessage("<emotion>\n")], max_tokens=8)
    assert again.text == first.text
    assert again.usage_metadata["input_token_details"]["cache_read"] == again.usage_metadata["input_tokens"] - 1
