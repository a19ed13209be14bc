# llama.cpp through the C interface that llama-cpp-python binds.
import ctypes
import resource


def start():
    global L
    import llama_cpp
    import llama_cpp.llama_cpp as L

    global _quiet  # ctypes forgets a callback that nobody holds
    _quiet = L.llama_log_callback(lambda level, text, data: None)
    L.llama_log_set(_quiet, ctypes.c_void_p(0))
    L.llama_backend_init()
    return {"version": llama_cpp.__version__, "detail": L.llama_print_system_info().decode().strip()}


_models, _contexts = {}, {}


def load(r):
    p = L.llama_model_default_params()
    p.n_gpu_layers = 0
    model = L.llama_model_load_from_file(r["model"].encode(), p)
    if not model:
        raise RuntimeError(f"llama.cpp does not load {os.path.basename(r['model'])}")
    return model


def create(model, r):
    p = L.llama_context_default_params()
    p.n_ctx = r["capacity"]
    p.n_batch = p.n_ubatch = 512
    p.n_threads = p.n_threads_batch = r["threads"]
    p.flash_attn_type = 1 if r["flash"] else 0
    p.offload_kqv = False
    context = L.llama_init_from_model(model, p)
    if not context:
        raise RuntimeError("llama.cpp makes no context")
    return context


def opened(r):
    key = (r["model"], r["flash"], r["capacity"], r["threads"])
    if key not in _contexts:
        if r["model"] not in _models:
            _models[r["model"]] = load(r)
        _contexts[key] = create(_models[r["model"]], r)
    context = _contexts[key]
    L.llama_memory_clear(L.llama_get_memory(context), True)
    return context


def append(context, ids):
    """Feeds tokens, at most 512 at once; logits are made behind the last of each."""
    for i in range(0, len(ids), 512):
        part = ids[i : i + 512]
        tokens = (L.llama_token * len(part))(*part)
        code = L.llama_decode(context, L.llama_batch_get_one(tokens, len(part)))
        if code != 0:
            raise RuntimeError(f"llama_decode returned {code}")
    if not L.llama_get_logits_ith(context, -1):  # waits for the result
        raise RuntimeError("llama.cpp gives no logits")


def prefill(r):
    context, ids = opened(r), r["ids"][: r["tokens"]]
    begin = now()
    append(context, ids)
    return {"seconds": now() - begin}


def decode(r):
    context, n, after = opened(r), r["tokens"], r["context"]
    ids = r["ids"]
    append(context, ids[:after])
    begin = now()
    for i in range(after, after + n):
        append(context, ids[i : i + 1])
    return {"seconds": (now() - begin) / n}


def first(r):
    """From the file to the logits behind a short prompt."""
    begin = now()
    model = load(r)
    context = create(model, r)
    append(context, r["ids"][: r["tokens"]])
    took = now() - begin
    L.llama_free(context)
    L.llama_model_free(model)
    return {"seconds": took}


def peak():
    try:  # getrusage would tell the parent's, where that is larger
        with open("/proc/self/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmHWM:")) * 1024
    except OSError:
        pass
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def memory(r):
    """The largest resident set of this process, which must be a fresh one."""
    base, begin = peak(), now()  # Python itself
    context = create(load(r), r)
    append(context, r["ids"][: r["tokens"]])
    return {"seconds": now() - begin, "bytes": peak(), "base": base}


def quantize(r):
    p = L.llama_model_quantize_default_params()
    p.ftype = {"F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7}[r["type"]]
    p.nthread = r["threads"]
    p.allow_requantize = True
    begin = now()
    code = L.llama_model_quantize(r["model"].encode(), r["to"].encode(), ctypes.byref(p))
    if code != 0:
        raise RuntimeError(f"llama_model_quantize returned {code}")
    return {"seconds": now() - begin, "bytes": os.path.getsize(r["to"])}


serve(start, {"prefill": prefill, "decode": decode, "first": first, "memory": memory, "quantize": quantize})
