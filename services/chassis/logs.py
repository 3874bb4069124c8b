"""Structured logs: one JSON object per line, the standard library's records included.

Nothing private is ever logged: no tokens, passwords or payloads. ``_redact`` is the last
guard, should a caller bind such a key by mistake.
"""

import logging
import sys
from contextvars import ContextVar
from typing import Any, Literal, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

Logger = FilteringBoundLogger

request_id: ContextVar[str] = ContextVar("request_id", default="")

_PRIVATE = frozenset(
    {"authorization", "cookie", "password", "payload", "private_key", "secret", "token"}
)


def _add_request_id(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    current = request_id.get()
    if current:
        event.setdefault("request_id", current)
    return event


def _redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    for key in _PRIVATE.intersection(event):
        event[key] = "(private)"
    return event


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        _add_request_id,
        _redact,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def configure(level: str = "INFO", log_format: Literal["json", "console"] = "json") -> None:
    """Send every log line of the process to standard output in one format.

    The standard library's root logger gets the same formatter, so that a library's line
    looks like one of ours.
    """
    shared = _shared_processors()
    render: Processor
    if log_format == "json":
        render = structlog.processors.JSONRenderer(ensure_ascii=False)
        shared.append(structlog.processors.format_exc_info)
    else:
        # The default formatter would print local variables, and with them private things.
        render = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # A line per request of these libraries would drown our own line per request.
    for chatty in ("grpc", "pymongo", "nats", "aiohttp.access"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        # Not cached: a test may configure again, and loggers made at import must follow.
        cache_logger_on_first_use=False,
    )


def _add_logger_name(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    record = event.get("_record")
    if isinstance(record, logging.LogRecord):
        event.setdefault("logger", record.name)
    return event


def get_logger(name: str, **bound: Any) -> Logger:
    """Return a logger whose lines carry its name and the values bound to it."""
    # Not bound yet: a logger made at import must follow a configuration made later.
    return cast(Logger, structlog.stdlib.get_logger(name, **bound))
