"""The command `spareline`: the market from a terminal, with the same rights as any partner."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import (
    account,
    dead_letters,
    explaining,
    exporting,
    importing,
    ledger,
    policies,
    proposals,
    rounds,
    templates,
    watching,
)
from cli.client import Settings

EXIT_CODES = "Exit codes: 0 done, 1 refused or bad rows, 2 wrong usage, 3 the market is away."

app = typer.Typer(
    name="spareline",
    help="Offers and demands of small firms, and what the market makes of them.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback()
def settings(
    context: typer.Context,
    registry: Annotated[
        str,
        typer.Option(envvar="SPARELINE_REGISTRY_ADDRESS", help="The registry's address."),
    ] = "127.0.0.1:7101",
    matching: Annotated[
        str,
        typer.Option(envvar="SPARELINE_MATCHING_ADDRESS", help="Matching's address."),
    ] = "127.0.0.1:7102",
    key: Annotated[
        str,
        typer.Option(
            envvar="SPARELINE_API_KEY",
            show_envvar=True,
            help="An API key. Without one, the session of `spareline sign-in` is used.",
        ),
    ] = "",
) -> None:
    """Keep what every command needs."""
    context.obj = Settings(registry, matching, key)


app.command("sign-in")(account.sign_in)
app.command("sign-out")(account.sign_out)
app.command("whoami")(account.whoami)
app.command("import")(importing.import_file)
app.command("export")(exporting.export)
app.command("template")(templates.template)
app.command("explain")(explaining.explain)
app.command("watch")(watching.watch)
app.add_typer(rounds.app, name="round")
app.add_typer(proposals.app, name="proposals")
app.add_typer(policies.app, name="policy")
app.add_typer(ledger.app, name="ledger")
app.add_typer(dead_letters.app, name="dead-letters")


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
