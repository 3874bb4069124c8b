"""`python -m deploy.sample`: load the sample market into a platform that runs."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

import grpc.aio

from deploy.sample import LoadReport, SampleError, load
from services.chassis.grpc_errors import from_rpc_error


def main() -> int:
    """Read the options, load, and say how to sign in; returns the exit code."""
    given = _options()
    try:
        report = asyncio.run(
            load(
                given.registry,
                given.matching,
                given.operator_email,
                given.operator_password,
                given.demo_password,
                _say,
            )
        )
    except grpc.aio.AioRpcError as error:
        print(f"The sample could not be loaded: {from_rpc_error(error)}", file=sys.stderr)
        return 1
    except SampleError as error:
        print(f"The sample's files are wrong: {error}", file=sys.stderr)
        return 1
    _tell(report)
    return 1 if report.errors else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.sample", description=__doc__)
    for name, variable, fallback, text in (
        ("registry", "SPARELINE_REGISTRY_ADDRESS", "127.0.0.1:7101", "registry, host:port"),
        ("matching", "SPARELINE_MATCHING_ADDRESS", "127.0.0.1:7102", "matching, host:port"),
        ("operator-email", "SPARELINE_OPERATOR_EMAIL", "", "the operator's address"),
        ("operator-password", "SPARELINE_OPERATOR_PASSWORD", "", "the operator's password"),
        ("demo-password", "SPARELINE_DEMO_PASSWORD", "", "the password of all demo accounts"),
    ):
        value = os.environ.get(variable, fallback)
        parser.add_argument(
            f"--{name}", default=value, required=not value, help=f"{text} ({variable})"
        )
    return parser.parse_args()


def _say(what: str, done: int, total: int) -> None:
    print(f"{what}: {done} of {total}", file=sys.stderr)


def _tell(report: LoadReport) -> None:
    print(
        f"{report.organizations} organizations, {report.offers} offers, {report.demands} demands; "
        f"{report.new} of them are new."
    )
    for each in (report.platform, *report.showcase):
        print(f"  {each.email}  {each.display_name}")
    if report.api_key:
        print(f"The platform's API key, shown this once: {report.api_key}")
    for error in report.errors:
        print(f"Not taken: {error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
