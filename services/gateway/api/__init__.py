"""The JSON API: every annotated RPC over HTTP, read from the contracts; no method is named here."""
