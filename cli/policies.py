"""`spareline policy`: read and change how the market weighs things."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from google.protobuf import json_format
from google.protobuf.message import Message

from cli.client import connected, policy_name
from cli.running import Refused, perform
from cli.screen import JsonOption, moment, say, table, write_json
from spareline.matching.v1 import matching_service_pb2 as api
from spareline.matching.v1.policy_pb2 import Policy

app = typer.Typer(help="Policies: show, list, create, update, activate.", no_args_is_help=True)

PolicyFile = Annotated[
    Path, typer.Option("--file", "-f", exists=True, dir_okay=False, help="YAML or JSON.")
]
_OUTPUT_ONLY = ("version", "active", "create_time")


@app.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The active one when left out.")] = "",
    version: Annotated[int, typer.Option(min=0, help="The current one when 0.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Write a policy as YAML: change it and give it to `policy update -f`."""

    async def job() -> int:
        async with connected(context.obj) as client:
            request = api.GetPolicyRequest(name=policy_name(name), version=version)
            found = await client.matching.GetPolicy(request)
        if as_json:
            write_json(found)
        else:
            sys.stdout.write(_yaml(found))
        return 0

    perform(job())


@app.command("list")
def list_policies(
    context: typer.Context,
    versions_of: Annotated[str, typer.Option(help="All versions of this policy.")] = "",
    as_json: JsonOption = False,
) -> None:
    """List policies."""

    async def job() -> int:
        async with connected(context.obj) as client:
            request = api.ListPoliciesRequest(versions_of=policy_name(versions_of), page_size=1000)
            found = (await client.matching.ListPolicies(request)).policies
        if as_json:
            for each in found:
                write_json(each)
            return 0
        rows = [
            (
                each.name,
                str(each.version),
                "active" if each.active else "",
                each.display_name,
                moment(each.create_time),
            )
            for each in found
        ]
        table("Policies", ("policy", ">version", "", "what it is for", "made"), rows)
        return 0

    perform(job())


@app.command()
def create(
    context: typer.Context,
    policy_id: Annotated[str, typer.Argument(help="Wanted id.")],
    file: PolicyFile,
) -> None:
    """Make a policy from a file."""

    async def job() -> int:
        policy = _read(file)
        policy.name = ""
        request = api.CreatePolicyRequest(
            policy_id=policy_id, policy=policy, request_id=str(uuid.uuid4())
        )
        async with connected(context.obj) as client:
            found = await client.matching.CreatePolicy(request)
        say(f"{found.name} is there, version {found.version}.")
        return 0

    perform(job())


@app.command()
def update(context: typer.Context, file: PolicyFile) -> None:
    """Make a new version of the policy that a file names; an etag in it must be the current one."""

    async def job() -> int:
        request = api.UpdatePolicyRequest(policy=_read(file), request_id=str(uuid.uuid4()))
        async with connected(context.obj) as client:
            found = await client.matching.UpdatePolicy(request)
        say(f"{found.name} is at version {found.version}.")
        return 0

    perform(job())


@app.command()
def activate(context: typer.Context, name: Annotated[str, typer.Argument()]) -> None:
    """Make scheduled and triggered rounds use a policy."""

    async def job() -> int:
        request = api.ActivatePolicyRequest(name=policy_name(name), request_id=str(uuid.uuid4()))
        async with connected(context.obj) as client:
            found = await client.matching.ActivatePolicy(request)
        say(f"{found.name} is active.")
        return 0

    perform(job())


def _yaml(policy: Policy) -> str:
    content = json_format.MessageToDict(
        policy, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    _numbers(content, policy)
    for name in _OUTPUT_ONLY:
        content.pop(name, None)
    return str(yaml.safe_dump(content, allow_unicode=True, sort_keys=False))


def _numbers(content: dict[str, Any], message: Message) -> None:
    """Turn texts back into the numbers that they stand for: JSON has no 64-bit integers."""
    for field in message.DESCRIPTOR.fields:
        value = content.get(field.name)
        if field.cpp_type == field.CPPTYPE_INT64 and isinstance(value, str):
            content[field.name] = int(value)
        elif isinstance(value, list):
            for inner, part in zip(value, getattr(message, field.name), strict=True):
                _numbers(inner, part)


def _read(file: Path) -> Policy:
    """The policy in a file.

    Raises:
        Refused: it is neither YAML nor JSON, or has a field that policies do not have.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Refused(f"{file} is neither YAML nor JSON: {error}") from error
    if not isinstance(content, dict):
        raise Refused(f"{file} holds no policy; `spareline policy show` writes one.")
    for name in _OUTPUT_ONLY:
        content.pop(name, None)
    try:
        return json_format.ParseDict(content, Policy())
    except json_format.ParseError as error:
        raise Refused(f"{file}: {error}") from error
