"""`spareline ledger`: the invariant of the capacity ledger, checked over every document."""

from __future__ import annotations

import typer

from cli.client import connected
from cli.running import REFUSED, perform
from cli.screen import JsonOption, complain, hint, say, write_json
from spareline.registry.v1 import ledger_service_pb2 as api

app = typer.Typer(help="The capacity ledger.", no_args_is_help=True)

# It reads every offer and demand of the market.
_PATIENCE = 600.0


@app.callback()
def ledger() -> None:
    """Keep `check` a command of its own, though it is the only one."""


@app.command()
def check(context: typer.Context, as_json: JsonOption = False) -> None:
    """Check that nothing is held or committed twice; operators only."""

    async def job() -> int:
        async with connected(context.obj) as client:
            found = await client.ledger.CheckLedger(api.CheckLedgerRequest(), timeout=_PATIENCE)
        if as_json:
            write_json(found)
        else:
            say(
                f"{found.offers} offers, {found.demands} demands and {found.claims} claims: "
                f"{len(found.breaches) or 'no'} breaches."
            )
        if not found.breaches:
            return 0
        complain("The ledger's invariant is broken.")
        for breach in found.breaches:
            hint(breach)
        return REFUSED

    perform(job())
