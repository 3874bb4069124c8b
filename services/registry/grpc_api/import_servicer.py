"""ImportService over gRPC."""

from google.protobuf.empty_pb2 import Empty

from services.chassis.access import current
from services.registry.grpc_api.callers import Context
from services.registry.usecases.import_files import Imports
from spareline.market.v1.import_pb2 import Import
from spareline.registry.v1 import import_service_pb2 as api
from spareline.registry.v1.import_service_pb2_grpc import ImportServiceServicer


class ImportServicer(ImportServiceServicer):
    """Hands each request to the use case."""

    def __init__(self, imports: Imports) -> None:
        self._imports = imports

    async def CreateImport(self, request: api.CreateImportRequest, _context: Context) -> Import:
        """Begin an import."""
        return await self._imports.create(current(), request)

    async def AddImportRows(self, request: api.AddImportRowsRequest, _context: Context) -> Import:
        """Add rows."""
        return await self._imports.add(current(), request)

    async def GetImport(self, request: api.GetImportRequest, _context: Context) -> Import:
        """Read an import."""
        return await self._imports.get(current(), request.name)

    async def ListImports(
        self, request: api.ListImportsRequest, _context: Context
    ) -> api.ListImportsResponse:
        """List an organization's imports."""
        return await self._imports.list(current(), request)

    async def ListImportRows(
        self, request: api.ListImportRowsRequest, _context: Context
    ) -> api.ListImportRowsResponse:
        """List the rows of an import."""
        return await self._imports.rows(current(), request)

    async def ConfirmImport(self, request: api.ConfirmImportRequest, _context: Context) -> Import:
        """Have the good rows posted."""
        return await self._imports.confirm(current(), request)

    async def DeleteImport(self, request: api.DeleteImportRequest, _context: Context) -> Empty:
        """Throw an import away."""
        await self._imports.delete(current(), request.name)
        return Empty()
