#!/usr/bin/env python3
"""Writes the fixtures of package floatref with Hugging Face transformers in float32.

    python fixtures.py --gguf SmolLM2-135M-Instruct.Q4_1.gguf [--data FOLDER] [--opticks FILE]

Needs: torch, transformers, accelerate, gguf, safetensors, numpy (versions used are written into the fixtures).
Writes beside itself:
    tiny_untied/, tiny_tied/, llama_bias/, mistral/, qwen2/, qwen3/, opt/
                               random-weight models (config.json + model.safetensors)
    NAME.json of each of them, tiny-llama.json and tiny-opt.json (data/models), smollm2.json
                               token ids, sampled logits, negative log-likelihoods of the next token
    smollm2_wikitext2.json     mean NLL of the first windows of WikiText-2 (with --data: its folder wikitext2)

The random models differ on purpose: stored type (F16, BF16), ratio of heads to KV heads (1 to 4), head size
against hidden size, RoPE (plain, other base, llama3 scaling), own head or shared embedding; llama_bias has every
bias that the LLaMA code knows. Norm weights, biases and the learned positions (their two rows of offset too) are
random and far from what leaving them out would mean.
Weights are rounded to the stored type before the forward pass, so the fixtures are those of the files.
"""
import argparse
import gzip
import hashlib
import json
import pathlib

import gguf
import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, OPTConfig, Qwen2Config, Qwen3Config

HERE = pathlib.Path(__file__).resolve().parent
SENTENCE = ("A whole number needs no decimal point, yet with a shift and a multiplication it says all that "
            "the network has to say. What is lost is counted, and what is counted can be tested: 3 · 7 = 21.")


def lcg_ids(n, vocab, state=12345):
    """Token ids without meaning, so that rare rows of the embedding are used too."""
    out = []
    for _ in range(n):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        out.append((state >> 33) % vocab)
    return out


@torch.no_grad()
def logits_of(model, ids):
    return model(torch.tensor([ids]), use_cache=False).logits[0].float()


def nll_of(logits, ids):
    logp = torch.log_softmax(logits[:-1].double(), dim=-1)
    return [-float(logp[i, t]) for i, t in enumerate(ids[1:])]


def fixture(model, name, ids, positions):
    logits = logits_of(model, ids)
    vocab = logits.shape[1]
    rng = np.random.default_rng(len(ids))
    samples = []
    for p in sorted({p for p in positions if p < len(ids)} | {0, len(ids) - 1}):
        top = torch.topk(logits[p], 4).indices.tolist()
        index = sorted(set(top) | {0, vocab - 1} | set(rng.choice(vocab, 26, replace=False).tolist()))
        samples.append({"pos": p, "index": index, "logit": [float(f"{float(logits[p, i]):.8g}") for i in index],
                        "argmax": int(logits[p].argmax())})
    return {"name": name, "ids": ids, "samples": samples, "nll": [round(x, 7) for x in nll_of(logits, ids)]}


def write(name, model, source, prompts):
    out = {"oracle": f"transformers {transformers.__version__}, torch {torch.__version__}, float32",
           "source": source, "prompts": prompts}
    (HERE / name).write_text(json.dumps(out) + "\n")
    print(name, len(prompts), "prompts")


def tiny(name, dtype, config):
    config.bos_token_id = config.eos_token_id = config.pad_token_id = None
    torch.manual_seed(7)
    model = AutoModelForCausalLM.from_config(config).float()
    with torch.no_grad():
        for key, p in model.named_parameters():
            if key.endswith("bias"):
                p.copy_(0.3 * torch.randn_like(p))
            elif "norm" in key:
                p.copy_(1 + 0.3 * torch.randn_like(p))
            p.copy_(p.to(dtype).float())
    folder = HERE / name
    model.to(dtype).save_pretrained(folder)
    for extra in folder.iterdir():
        if extra.name not in ("config.json", "model.safetensors"):
            extra.unlink()
    again = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = lcg_ids(200, 256)
    write(name + ".json", again, "the folder " + name, [
        fixture(again, "one token", [17], []),
        fixture(again, "short", lcg_ids(9, 256, 99), range(9)),
        fixture(again, "200 tokens", ids, [1, 63, 64, 65, 127, 128, 150])])


def shipped(name, opticks):
    """The models of data/models. With opticks the whole text's token ids are counted and hashed too."""
    folder = HERE.parent.parent.parent / "data" / "models" / name
    weights = folder / "model.safetensors"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tok = Tokenizer.from_file(str(folder / "tokenizer.json"))
    encode = lambda text: tok.encode(text, add_special_tokens=False).ids
    source = {"file": "data/models/" + name, "sha256": hashlib.sha256(weights.read_bytes()).hexdigest()}
    prompts = [fixture(model, "sentence", encode(SENTENCE), [1, 2, 7, 20]),
               fixture(model, "ids without meaning", lcg_ids(100, model.config.vocab_size), [1, 31, 63, 64])]
    if opticks:
        text = pathlib.Path(opticks).read_bytes().decode("utf-8")
        ids = encode(text)
        source["opticks"] = {"tokens": len(ids), "sha256": hashlib.sha256(np.array(ids, "<u4").tobytes()).hexdigest()}
        prompts.append(fixture(model, "Opticks", ids[5000:6024], [100, 255, 256, 500, 900]))
    write(name + ".json", model, source, prompts)


def encoder(path):
    """The tokenizer of SmolLM2 from the GGUF metadata. AutoTokenizer drops its rule that digits stand alone
    ("tokenizer.ggml.pre" = smollm), which changes 8 tokens of WikiText-2."""
    fields = gguf.GGUFReader(path).fields
    vocab = {t: i for i, t in enumerate(fields["tokenizer.ggml.tokens"].contents())}
    merges = [tuple(m.split(" ", 1)) for m in fields["tokenizer.ggml.merges"].contents()]
    tok = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                 pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    return lambda text: tok.encode(text, add_special_tokens=False).ids


def smollm2(path, data, opticks):
    path = pathlib.Path(path)
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
    encode = encoder(path)
    prompts = [fixture(model, "sentence", encode(SENTENCE), [1, 2, 7, 20]),
               fixture(model, "ids without meaning", lcg_ids(100, model.config.vocab_size), [1, 31, 63, 64])]
    if opticks:
        text = pathlib.Path(opticks).read_text(encoding="utf-8")[20000:24000]
        prompts.append(fixture(model, "Opticks", encode(text)[:512], [100, 200, 255, 256, 300, 400, 500]))
    write("smollm2.json", model, {"file": path.name, "sha256": sha}, prompts)
    if not data:
        return
    raw = gzip.decompress((pathlib.Path(data) / "wikitext2" / "test.txt.gz").read_bytes()).decode()
    lines = raw.split("\n")
    if lines[-1] == "":
        lines.pop()
    text = "\n\n".join("" if not line.strip() else line + "\n" for line in lines)
    digest = hashlib.sha256(text.encode()).hexdigest()
    ids = encode(text)
    windows = []
    for w in range(6):
        part = ids[w * 2048:(w + 1) * 2048]
        nll = nll_of(logits_of(model, part), part)
        windows.append({"mean_nll": sum(nll) / len(nll),
                        "ids_sha256": hashlib.sha256(np.array(part, "<u4").tobytes()).hexdigest()})
        print("window", w, windows[-1], flush=True)
    (HERE / "smollm2_wikitext2.json").write_text(json.dumps({
        "oracle": f"transformers {transformers.__version__}, torch {torch.__version__}, float32",
        "gguf_sha256": sha, "text_sha256": digest, "tokens": len(ids), "window": 2048, "windows": windows,
    }, indent=1) + "\n")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--gguf", help="the GGUF file of SmolLM2-135M-Instruct; without it only the tiny models are made")
    ap.add_argument("--data", help="folder that holds wikitext2/test.txt.gz")
    ap.add_argument("--opticks", help="Isaac.Newton-Opticks.txt of the Go distribution")
    args = ap.parse_args()
    common = dict(vocab_size=256, hidden_size=64, num_hidden_layers=2)
    rms = dict(common, rms_norm_eps=1e-5, max_position_embeddings=512, initializer_range=0.15)
    tiny("tiny_untied", torch.float16, LlamaConfig(
        num_attention_heads=4, num_key_value_heads=2, head_dim=16, intermediate_size=96, tie_word_embeddings=False, **rms))
    tiny("tiny_tied", torch.bfloat16, LlamaConfig(
        num_attention_heads=8, num_key_value_heads=2, head_dim=12, intermediate_size=80, tie_word_embeddings=True,
        rope_parameters={"rope_type": "llama3", "rope_theta": 50000.0, "factor": 8.0, "low_freq_factor": 1.0,
                         "high_freq_factor": 4.0, "original_max_position_embeddings": 64}, **rms))
    tiny("llama_bias", torch.float16, LlamaConfig(
        num_attention_heads=4, num_key_value_heads=4, head_dim=16, intermediate_size=96, tie_word_embeddings=True,
        attention_bias=True, mlp_bias=True, **rms))
    tiny("mistral", torch.bfloat16, MistralConfig(
        num_attention_heads=4, num_key_value_heads=2, head_dim=16, intermediate_size=80, tie_word_embeddings=False,
        sliding_window=None, **rms))
    rms["rms_norm_eps"] = 1e-6
    rms["rope_parameters"] = {"rope_type": "default", "rope_theta": 1000000.0}
    tiny("qwen2", torch.bfloat16, Qwen2Config(
        num_attention_heads=4, num_key_value_heads=2, intermediate_size=96, tie_word_embeddings=True, **rms))
    tiny("qwen3", torch.float16, Qwen3Config(
        num_attention_heads=6, num_key_value_heads=2, head_dim=16, intermediate_size=80, tie_word_embeddings=True, **rms))
    tiny("opt", torch.float16, OPTConfig(
        num_attention_heads=4, ffn_dim=96, word_embed_proj_dim=64, max_position_embeddings=200, init_std=0.15, **common))
    for name in ("tiny-llama", "tiny-opt"):
        shipped(name, args.opticks)
    if args.gguf:
        smollm2(args.gguf, args.data, args.opticks)


if __name__ == "__main__":
    main()
