"""Run one notebook in its Jupyter kernel and report as lines of JSON.

The caller writes one line of JSON to standard input, the job, and keeps the
pipe open: when it closes, for whatever reason, the run ends and so does the
kernel. Reports go to standard output, one object a line.
"""

import asyncio
import copy
import json
import os
import signal
import sys
import threading
import traceback

# nbconvert's page without the scripts that it would load from the network.
PAGE = """{%- extends "lab/index.html.j2" -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
"""

report_lock = threading.Lock()


def report(event, **fields):
    with report_lock:
        sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
        sys.stdout.flush()


def write(path, text):
    """Write a file so that it is there whole or not at all."""
    with open(path + ".part", "w", encoding="utf-8") as f:
        f.write(text)
        f.flush()
        os.fsync(f.fileno())
    os.replace(path + ".part", path)


def make_client(nb, job):
    import nbclient

    class Client(nbclient.NotebookClient):
        """Adds the live output of cells to nbclient's hooks."""

        number = 0

        def output(self, outs, msg, display_id, cell_index):
            out = super().output(outs, msg, display_id, cell_index)
            if msg["msg_type"] == "stream":
                content = msg["content"]
                report("stream", cell=self.number, name=content["name"], text=content["text"])
            return out

    client = Client(
        nb,
        kernel_name=job["kernel"],
        timeout=None,
        startup_timeout=120,
        resources={"metadata": {"path": job["folder"]}},
    )

    async def before(cell, cell_index):
        client.number += 1
        report("start", cell=client.number)

    async def after(cell, cell_index, execute_reply):
        status = execute_reply["content"]["status"]
        if status == "ok":
            report("done", cell=client.number)

    client.on_cell_execute = before
    client.on_cell_executed = after
    return client


def explain(nb, client, e):
    """Report why a run ended early; raise what no notebook can be blamed for."""
    import nbclient.exceptions

    if isinstance(e, nbclient.exceptions.CellExecutionError):
        lines = []
        for cell in nb.cells:
            for out in cell.get("outputs", []):
                if out.output_type == "error":
                    lines = out.traceback
        report("failed", cell=client.number, name=e.ename, message=e.evalue, traceback=list(lines))
        return False
    if isinstance(e, (nbclient.exceptions.DeadKernelError, RuntimeError)):
        report("died", cell=client.number, message=str(e))
        return False
    raise e


async def execute(nb, job, client):
    """Run the notebook; the kernel and all its children are gone afterwards.

    True: done. False: a cell or the kernel failed. None: told to stop.
    """
    loop = asyncio.get_running_loop()
    run = asyncio.ensure_future(client.async_execute())

    stopping = threading.Event()

    def watch():
        # Not sys.stdin: its lock would still be held when Python ends.
        while os.read(0, 4096):
            pass
        stopping.set()
        loop.call_soon_threadsafe(run.cancel)

    threading.Thread(target=watch, daemon=True).start()

    group = None

    async def remember_group():
        nonlocal group
        while group is None:
            provisioner = getattr(client.km, "provisioner", None)
            group = getattr(provisioner, "pgid", None) or None
            if group is not None:
                report("kernel", group=group)
            await asyncio.sleep(0.02)

    follower = asyncio.ensure_future(remember_group())
    try:
        await run
        return True
    except asyncio.CancelledError:
        return None
    except Exception as e:
        # nbclient takes a cancelled wait for the death of the kernel.
        if stopping.is_set():
            return None
        return explain(nb, client, e)
    finally:
        follower.cancel()
        if group is not None:
            # A cell is a process of the kernel's group; none may outlive it.
            try:
                os.killpg(group, signal.SIGKILL)
            except OSError:
                pass


def markdown_with_mathml(context, source):
    """nbconvert's markdown filter, with formulas as MathML.

    Browsers show MathML by themselves; the usual way loads a script from the
    network, and a page that is kept should not need one.
    """
    from latex2mathml.converter import convert
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Renderer(IPythonRenderer):
        def block_math(self, body):
            return self.mathml(body, "block")

        def inline_math(self, body):
            return self.mathml(body, "inline")

        def mathml(self, body, display):
            try:
                return convert(body, display=display)
            except Exception:  # an unknown command: show the source
                return "<code>" + self.escape_html(body) + "</code>"

        @staticmethod
        def escape_html(s):
            import html

            return html.escape(s)

    cell = context.get("cell", {})
    attachments = cell.get("attachments", {})
    path = context.get("resources", {}).get("metadata", {}).get("path", "")
    renderer = Renderer(escape=False, attachments=attachments, embed_images=True, path=path)
    return MarkdownWithMath(renderer=renderer).render(source)


def export_html(nb, job):
    """Return the notebook as one HTML page that loads nothing."""
    import jinja2
    from nbconvert import HTMLExporter

    nb = copy.deepcopy(nb)
    # The kernel does not say what colours its language; Python is the default.
    nb.metadata["language_info"] = {"name": "go", "pygments_lexer": "go"}
    exporter = HTMLExporter(
        template_file="illm.html.j2",
        extra_loaders=[jinja2.DictLoader({"illm.html.j2": PAGE})],
        embed_images=True,
    )
    exporter.register_filter("markdown2html", jinja2.pass_context(markdown_with_mathml))
    page, _ = exporter.from_notebook_node(
        nb, resources={"metadata": {"name": job["title"], "path": job["folder"]}}
    )
    return page


def main():
    job = json.loads(sys.stdin.buffer.readline())
    import nbformat

    nb = nbformat.read(job["notebook"], as_version=4)
    client = make_client(nb, job)
    ok = asyncio.run(execute(nb, job, client))
    if ok is None:
        return  # interrupted
    # What was run is worth keeping, up to a failure too.
    write(job["ipynb"], nbformat.writes(nb))
    write(job["html"], export_html(nb, job))
    report("written", ok=ok)


if __name__ == "__main__":
    try:
        main()
    except BaseException as e:
        report("broken", message=f"{type(e).__name__}: {e}")
        traceback.print_exc()
        sys.exit(1)
