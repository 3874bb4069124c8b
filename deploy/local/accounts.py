"""Who can sign in to the sample market, kept so that a later start can say it again."""

from __future__ import annotations

import json
from pathlib import Path

from deploy.local.layout import write_private
from deploy.sample import LoadReport, SignIn


def keep(folder: Path, report: LoadReport) -> None:
    """Write the accounts of a load, and the platform's API key, which is shown only once."""
    accounts = [vars(account) for account in (*report.showcase, report.platform)]
    write_private(folder / "accounts.json", json.dumps(accounts, ensure_ascii=False).encode())
    if report.api_key:
        write_private(key_file(folder), report.api_key.encode())


def kept(folder: Path) -> list[SignIn]:
    """The accounts of the sample; none when it was never loaded."""
    file = folder / "accounts.json"
    if not file.exists():
        return []
    return [SignIn(**account) for account in json.loads(file.read_text())]


def key_file(folder: Path) -> Path:
    """Where the partner platform's API key lies."""
    return folder / "platform-api-key"
