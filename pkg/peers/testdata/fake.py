# A rival of the tests: it answers, and misbehaves on request.
import signal


def start():
    if os.environ.get("FAKE_START") == "raise":
        raise ImportError("no such library")
    if os.environ.get("FAKE_START") == "hang":
        time.sleep(600)
    if os.environ.get("FAKE_START") == "exit":
        print("the reason", file=sys.stderr)
        os._exit(3)
    print("a library's greeting")  # must not reach the protocol
    return {"version": "1.0", "detail": "fake"}


def prefill(r):
    log = os.environ.get("FAKE_LOG")
    if log:
        with open(log, "a") as f:
            f.write(r.get("name", "?") + "\n")
    return {"seconds": r["tokens"] / 1000, "check": r.get("say", "")}


def die(r):
    print("last words", file=sys.stderr)
    sys.stderr.flush()
    os._exit(7)


def illegal(r):
    os.kill(os.getpid(), signal.SIGILL)


def child(r):
    import subprocess

    p = subprocess.Popen(["sleep", "600"])
    return {"seconds": 1, "bytes": p.pid}


def operand(r):
    return {"seconds": 1, "check": pattern(5000, 2).hex()}


def rubbish(r):
    _out.write("not json\n")
    return {"seconds": 1}


serve(start, {
    "prefill": prefill, "die": die, "illegal": illegal, "child": child, "rubbish": rubbish, "operand": operand,
    "hang": lambda r: time.sleep(600), "raise": lambda r: {}["nothing"],
    "wrong": lambda r: {"seconds": 1, "id_": send(id=0, seconds=1)},
    "flood": lambda r: {"seconds": 1, "check": "x" * (2 << 20)},
})
