import logging
import sys

import pytest

from otelq.cli.redaction import RedactingFormatter, redact


@pytest.mark.parametrize(
    "text, expected",
    [
        ("postgresql://ada:s3cret@db/app", "postgresql://ada:***@db/app"),
        ("postgresql://ada:s3:c/r@t@db/app", "postgresql://ada:***@db/app"),
        ("postgresql://:s3cret@db", "postgresql://:***@db"),
        ("postgresql://db/app?user=ada&password=s3cret&ssl=on", "postgresql://db/app?user=ada&password=***&ssl=on"),
        ("cannot reach postgresql://ada:s3cret@db/app: refused", "cannot reach postgresql://ada:***@db/app: refused"),
        ("postgresql:/ada:s3cret@db/app", "postgresql:/ada:***@db/app"),
        ("postgresql:ada:s3cret@db/app", "postgresql:ada:***@db/app"),
        ("postgresql+asyncpg://ada:s3%40cret@db/app", "postgresql+asyncpg://ada:***@db/app"),
        ("postgresql://db/app?PASSWORD=s3cret#x&y=s3", "postgresql://db/app?PASSWORD=***&y=s3"),
        ("redis://:s3cret@db/0", "redis://:***@db/0"),
        ("nats://s3cret@queue:4222", "nats://***@queue:4222"),
        ("sqlite:///app.db?password=s3cret", "sqlite:///app.db?password=***"),
        ("host=db password='s3cret' dbname=app", "host=db password=*** dbname=app"),
        ("host=db password = 's3 \\'cret' dbname=app", "host=db password = *** dbname=app"),
        ("host=db password=s3\\ cret dbname=app", "host=db password=*** dbname=app"),
        ("user=ada sslpassword=s3cret", "user=ada sslpassword=***"),
        ("postgresql://ada@db:5432/app", "postgresql://ada@db:5432/app"),
        ("sqlite:////srv/app.db", "sqlite:////srv/app.db"),
        ("mail ada@example.com at 10:30", "mail ada@example.com at 10:30"),
    ],
)
def test_a_password_is_replaced_and_all_else_is_left(text: str, expected: str) -> None:
    assert redact(text) == expected


def test_a_logged_traceback_shows_no_password() -> None:
    try:
        raise ConnectionError("postgresql://ada:s3cret@db/app")
    except ConnectionError:
        record = logging.LogRecord("otelq", logging.ERROR, __file__, 1, "lost", None, sys.exc_info())
    line = RedactingFormatter("%(message)s").format(record)
    assert "ada:***@db" in line
    assert "ConnectionError: postgresql://ada:***@db/app" in line
