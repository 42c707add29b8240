"""Initial weights that can already look back: an induction circuit for a small Qwen3 of random weights.

Quoting a post needs two heads in a row: one that carries each token's predecessor, and one that finds where the
present token stood before and copies what followed (Elhage et al. 2021, Olsson et al., arXiv 2209.11895). A large
model finds them by itself after some billion tokens; a small one trained for minutes learns the quotes of its
training data by heart instead. Weights that start near a useful structure train far faster (mimetic initialization:
Trockman and Kolter, arXiv 2305.09828). Everything here stays trainable.
"""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import Qwen3ForCausalLM

_SHARP = 2.2
"""Weight of the query and key norms in the circuit's layers: how sharply they attend."""
_FAST, _SLOW = 0.02, 0.004
"""Radians a position: rotations that tell neighbours apart, and rotations that hardly turn within a long post."""


def look_back(model: "Qwen3ForCausalLM", *, seed: int = 0) -> None:
    """Sets heads of the first two layers to an induction circuit, in place.

    Half of the first layer's key-value heads attend to the position before (rotary embeddings make that a matter of
    one constant direction, which every token embedding gets as its first dimension; the same logit for all tokens
    changes no probability). Half of the second layer's look for the present token among those carried there.

    Args:
        model: tied embeddings, at least two layers and two key-value heads.
        seed: of the random subspaces.
    """
    import torch

    config = model.config
    wide, size = config.hidden_size, config.head_dim
    group = config.num_attention_heads // config.num_key_value_heads
    heads = config.num_key_value_heads // 2
    dice = torch.Generator().manual_seed(seed)
    turn = config.rope_parameters["rope_theta"] ** (-torch.arange(0, size, 2) / size)
    near = (turn > _FAST).float()
    # Two dimensions turn together: number k and number k + size / 2.
    far = torch.cat([turn < _SLOW, turn < _SLOW])
    with torch.no_grad():
        embedding = model.model.embed_tokens.weight
        scale = float(embedding.std()) * math.sqrt(wide)
        embedding[:, 0] = scale
        # Everything else starts silent, so that nothing drowns the circuit.
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        first, second = model.model.layers[0].self_attn, model.model.layers[1].self_attn
        # Orthonormal rows that leave the constant dimension alone.
        basis = torch.linalg.qr(torch.randn(wide - 1, wide - 1, generator=dice))[0]
        rows = iter(torch.cat([torch.zeros(wide - 1, 1), basis], dim=1))
        for head in range(heads):
            keys = slice(head * size, (head + 1) * size)
            read, carried = torch.zeros(size, wide), torch.zeros(size, wide)
            for at in far.nonzero().flatten().tolist()[: (wide - 1) // (2 * heads)]:
                read[at], carried[at] = next(rows), next(rows)
            first.k_proj.weight[keys] = 0
            first.k_proj.weight[keys, 0] = torch.cat([near * torch.cos(turn), near * torch.sin(turn)])
            first.v_proj.weight[keys] = read
            second.k_proj.weight[keys] = carried
            for at in range(head * group, (head + 1) * group):
                asks = slice(at * size, (at + 1) * size)
                first.q_proj.weight[asks] = 0
                first.q_proj.weight[asks, 0] = torch.cat([near, 0 * near])
                first.o_proj.weight[:, asks] = carried.T * (scale / 4 / group)
                second.q_proj.weight[asks] = read
        spare = torch.linalg.qr(torch.randn(wide, wide, generator=dice))[0]
        for head in range(heads):
            keys = slice(head * size, (head + 1) * size)
            second.v_proj.weight[keys] = spare[keys]
            for at in range(head * group, (head + 1) * group):
                second.o_proj.weight[:, at * size : (at + 1) * size] = spare[keys].T * (scale / 4 / group)
        for layer in (first, second):
            layer.q_norm.weight.fill_(_SHARP)
            layer.k_norm.weight.fill_(_SHARP)
