"""The keys under which the application keeps what all handlers share."""

from __future__ import annotations

import asyncio

from aiohttp import web

from services.chassis.app import App

FILE_KEY: web.AppKey[bytes] = web.AppKey("file_key", bytes)
"""Goes into the names of postings that come from files, so that they tell nothing."""
CHASSIS: web.AppKey[App] = web.AppKey("chassis", App)
DOWNLOADS: web.AppKey[asyncio.Semaphore] = web.AppKey("downloads", asyncio.Semaphore)
"""Long downloads take turns at asking the services, so that pages need not wait for them."""
