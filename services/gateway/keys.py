"""The keys under which the application keeps what all handlers share."""

from __future__ import annotations

from aiohttp import web

from services.chassis.app import App

CHASSIS: web.AppKey[App] = web.AppKey("chassis", App)
