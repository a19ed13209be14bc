#!/usr/bin/env python3
"""Scores zero-shot items with lm-evaluation-harness itself; the Go tests compare with what it writes.

    python harness.py DATA [--model FOLDER] [--items N] [--out FILE] [--check]

Needs: lm-eval, torch, transformers (versions used are written into the fixture).
DATA is the folder of evaluation texts (its zeroshot/*.jsonl.gz); FOLDER a model in the transformers layout, by default
data/models/tiny-llama. The tasks are the harness's own: its prompt templates, its processing functions, its scoring.
Only the place of the data is replaced, by files made of the same lines under the names that the templates expect.

Writes harness.json.gz beside itself: for each task the SHA-256 of all items' prompts (tasks.Set.Hash of the Go side, here
from the harness's requests) and for N items spread over the file row, log-likelihood of each choice, acc, acc_norm.
Numbers only: no text of the data sets.
"""
import argparse
import gzip
import hashlib
import importlib.metadata
import json
import os
import pathlib
import struct
import tempfile

TMP = tempfile.TemporaryDirectory()
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": TMP.name}  # read when the libraries are imported

from lm_eval.api.task import ConfigurableTask  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402
from lm_eval.tasks._yaml_loader import load_yaml  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE.parent.parent.parent / "data" / "models" / "tiny-llama"
TASKS = ["piqa", "arc_easy", "arc_challenge", "boolq", "hellaswag", "winogrande"]


def rows_of(name, data):
    """The lines of a task's file in the columns of the harness's data set."""
    with gzip.open(data / "zeroshot" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as f:
        for i, line in enumerate(f):
            d = json.loads(line)
            if name.startswith("arc"):
                q = d["question"]
                d = {"question": q["stem"], "answerKey": d["answerKey"],
                     "choices": {"text": [c["text"] for c in q["choices"]], "label": [c["label"] for c in q["choices"]]}}
            elif name == "boolq":
                d = {"passage": d["passage"], "question": d["question"], "label": int(d["label"] == "true")}
            elif name == "hellaswag":  # the file has activity and context joined
                activity, ctx = d["ctx"].split(": ", 1)
                d = {"activity_label": activity, "ctx_a": ctx, "ctx_b": "", "endings": d["endings"], "label": str(d["label"])}
            yield d | {"row": i}


def load(manager, name, file, split):
    """The harness's task over the lines of file."""
    cfg = load_yaml(manager.task_index[name].yaml_path, resolve_func=True)
    cfg |= {"dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": {split: str(file)}},
            "training_split": None, "validation_split": None, "test_split": None, f"{split}_split": split}
    cfg.pop("tag", None)
    return ConfigurableTask(config=cfg)


def requests_of(task, doc):
    ctx = task.fewshot_context(doc, num_fewshot=0)
    return task.construct_requests(doc, ctx, metadata=(None, 0, 1))


def gold_of(task, doc):
    return task.doc_to_text(doc) if task.multiple_input else task.doc_to_target(doc)


def digest(task, docs):
    h = hashlib.sha256()
    for doc in docs:
        gold, reqs, choices = gold_of(task, doc), requests_of(task, doc), task.doc_to_choice(doc)
        h.update(struct.pack("<QQ", int(gold), len(reqs)))
        for j, r in enumerate(reqs):
            texts = r.args
            chars = len(doc[f"option{j + 1}"]) if task.multiple_input else len(choices[j])
            for text in texts:
                b = text.encode()
                h.update(struct.pack("<Q", len(b)) + b)
            h.update(struct.pack("<Q", chars))
    return h.hexdigest()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("data", type=pathlib.Path)
    p.add_argument("--model", type=pathlib.Path, default=MODEL)
    p.add_argument("--items", type=int, default=250)
    p.add_argument("--out", type=pathlib.Path, default=HERE / "harness.json.gz")
    p.add_argument("--check", action="store_true", help="hash the items only, write nothing")
    args = p.parse_args()

    manager = TaskManager()
    model = None
    if not args.check:
        import torch
        from lm_eval.models.huggingface import HFLM
        from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
        net = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
        tok = PreTrainedTokenizerFast(tokenizer_file=str(args.model / "tokenizer.json"), eos_token="<|endoftext|>")
        model = HFLM(pretrained=net, tokenizer=tok, backend="causal", batch_size=8, device="cpu", add_bos_token=False)
    version = importlib.metadata.version
    out = {"oracle": f"lm-eval {version('lm-eval')}, transformers {version('transformers')}, torch {version('torch')}, float32",
           "model_sha256": hashlib.sha256((args.model / "model.safetensors").read_bytes()).hexdigest(),
           "window": model.max_length if model else 0, "tasks": {}}
    for name in TASKS:
        file = pathlib.Path(TMP.name) / f"{name}.jsonl"
        with open(file, "w", encoding="utf-8") as f:
            for d in rows_of(name, args.data):
                f.write(json.dumps(d) + "\n")
        split = "test" if name.startswith("arc") else "validation"
        task = load(manager, name, file, split)
        docs = list(task.eval_docs)
        result = {"items": len(docs), "sha256": digest(task, docs)}
        print(name, result, flush=True)
        if model:
            result["rows"] = score(task, docs, model, args.items)
        out["tasks"][name] = result
    if model:
        blob = json.dumps(out, separators=(",", ":")).encode()
        args.out.write_bytes(gzip.compress(blob, 9, mtime=0))
        print(args.out, args.out.stat().st_size, "bytes")


def score(task, docs, model, n):
    n = min(n, len(docs))
    picked = [docs[i * len(docs) // n] for i in range(n)]
    lists = [requests_of(task, d) for d in picked]
    flat = model.loglikelihood([r for l in lists for r in l], disable_tqdm=True)
    rows, at = [], 0
    for doc, reqs in zip(picked, lists):
        got = flat[at:at + len(reqs)]
        at += len(reqs)
        m = task.process_results(doc, got)
        row = {"row": doc["row"], "ll": [round(ll, 6) for ll, _ in got], "acc": int(m["acc"])}
        if "acc_norm" in m:
            row["acc_norm"] = int(m["acc_norm"])
        rows.append(row)
    print("  acc", sum(r["acc"] for r in rows) / n, "of", n, flush=True)
    return rows


if __name__ == "__main__":
    main()
