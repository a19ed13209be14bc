"""Writes llama.grad and opt.grad: the loss and its gradient by every parameter, float32, in the order of Tensors.

Weights and tokens come from the generator of the Go test; transformers and torch compute in float64.
    python gradients.py        (torch 2.15.0, transformers 5.23.0)
"""
import struct, sys
import torch, transformers
from transformers import LlamaConfig, LlamaForCausalLM, OPTConfig, OPTForCausalLM

M = (1 << 64) - 1


def splitmix(x):
    x = (x + 0x9E3779B97F4A7C15) & M
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & M
    x = ((x ^ x >> 27) * 0x94D049BB133111EB) & M
    return x ^ x >> 31


def noise(n, size, seed):
    v = []
    for _ in range(n):
        seed = splitmix(seed)
        v.append(size * ((seed >> 11) / (1 << 52) - 1))
    return torch.tensor(v, dtype=torch.float32)


B, T, V = 2, 8, 19
ids, seed = [], 7
for _ in range(B * (T + 1)):
    seed = splitmix(seed)
    ids.append(seed % V)
ids = torch.tensor(ids).view(B, T + 1)


def run(name, model, names):
    params = dict(model.named_parameters())
    leaves = []
    for i, (n, skip) in enumerate(names):
        p = params[n]
        w = noise(p[skip:].numel(), 0.5, i + 1)
        if p.dim() == 1 and n.endswith("weight"):
            w = w + torch.tensor(1.0)  # float32, as the test does
        with torch.no_grad():
            p.zero_()
            p[skip:] = w.double().view(p[skip:].shape)
        leaves.append((p, skip))
    assert len(names) == len(params), (len(names), len(params))
    logits = model(input_ids=ids[:, :-1]).logits
    loss = torch.nn.functional.cross_entropy(logits.reshape(-1, V), ids[:, 1:].reshape(-1))
    loss.backward()
    flat = [loss.detach().view(1)] + [p.grad[skip:].reshape(-1) for p, skip in leaves]
    flat = torch.cat([f.float() for f in flat]).tolist()
    with open(sys.path[0] + f"/{name}.grad", "wb") as f:
        f.write(struct.pack(f"<{len(flat)}f", *flat))
    print(name, loss.item(), len(flat))


torch.set_default_dtype(torch.float64)
m = LlamaForCausalLM(LlamaConfig(
    vocab_size=V, hidden_size=12, intermediate_size=20, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    head_dim=6, max_position_embeddings=11, rms_norm_eps=1e-5, rope_parameters={"rope_type": "default", "rope_theta": 100.0},
    tie_word_embeddings=True, attn_implementation="eager")).double().eval()
names = [("model.embed_tokens.weight", 0)]
for n in range(2):
    for s in ["input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
              "post_attention_layernorm", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]:
        names.append((f"model.layers.{n}.{s}.weight", 0))
names.append(("model.norm.weight", 0))
run("llama", m, names)

m = OPTForCausalLM(OPTConfig(
    vocab_size=V, hidden_size=12, word_embed_proj_dim=12, ffn_dim=20, num_hidden_layers=2, num_attention_heads=3,
    max_position_embeddings=11, activation_function="relu", do_layer_norm_before=True, enable_bias=True, dropout=0.0,
    attention_dropout=0.0, pad_token_id=None, tie_word_embeddings=True, attn_implementation="eager")).double().eval()
d = "model.decoder."
names = [(d + "embed_tokens.weight", 0), (d + "embed_positions.weight", 2)]
for n in range(2):
    for s in ["self_attn_layer_norm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj",
              "final_layer_norm", "fc1", "fc2"]:
        names += [(f"{d}layers.{n}.{s}.weight", 0), (f"{d}layers.{n}.{s}.bias", 0)]
names += [(d + "final_layer_norm.weight", 0), (d + "final_layer_norm.bias", 0)]
run("opt", m, names)
