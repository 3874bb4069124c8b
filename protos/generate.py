"""Generate Python code and type stubs from the contracts: `python -m protos.generate`.

The result lands in `spareline/` and `buf/` beside `protos/`; neither is committed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from google.longrunning import operations_proto_pb2
from google.protobuf import descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2
from google.protobuf.descriptor import FileDescriptor
from grpc_tools import protoc
from protovalidate._gen.buf.validate import validate_pb

ROOT = Path(__file__).resolve().parent.parent
GENERATED = ("spareline", "buf")
VALIDATE = "buf/validate/validate.proto"
# The contracts with their comments: the gateway makes its OpenAPI document from them.
DESCRIPTORS = "spareline/contracts.binpb"


def _shipped_descriptors() -> bytes:
    """A FileDescriptorSet of the contracts that their packages ship without a usable .proto file.

    protovalidate ships only a descriptor; googleapis-common-protos ships operations.proto under a
    file name that differs from the one in its descriptor. Dependencies come first.
    """
    files = descriptor_pb2.FileDescriptorSet()
    seen: set[str] = set()

    def add(file: FileDescriptor) -> None:
        if file.name in seen:
            return
        seen.add(file.name)
        for dependency in file.dependencies:
            add(dependency)
        file.CopyToProto(files.file.add())

    for module in (duration_pb2, field_mask_pb2, timestamp_pb2, operations_proto_pb2):
        add(module.DESCRIPTOR)
    files.file.add().ParseFromString(validate_pb.desc().proto.to_binary())
    return files.SerializeToString()


@contextmanager
def _compiler() -> Iterator[tuple[Path, Callable[[list[str], list[str]], None]]]:
    """A scratch directory, and protoc with the include paths and plugins set."""
    includes = [
        str(ROOT / "protos"),
        sysconfig.get_paths()["purelib"],
        str(resources.files("grpc_tools") / "_proto"),
    ]
    scripts = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        shipped = scratch / "shipped.binpb"
        shipped.write_bytes(_shipped_descriptors())

        def compile_(outputs: list[str], files: list[str]) -> None:
            status = protoc.main(
                [
                    "protoc",
                    f"--descriptor_set_in={shipped}",
                    *(f"--proto_path={path}" for path in includes),
                    f"--plugin=protoc-gen-mypy={scripts / 'protoc-gen-mypy'}",
                    f"--plugin=protoc-gen-mypy_grpc={scripts / 'protoc-gen-mypy_grpc'}",
                    *outputs,
                    *files,
                ]
            )
            if status:
                sys.exit(f"protoc ended with {status}")

        yield scratch, compile_


def _contracts() -> list[str]:
    root = ROOT / "protos"
    return sorted(str(path.relative_to(root)) for path in root.rglob("*.proto"))


def describe(out: Path) -> None:
    """Write the contracts, comments included, as one FileDescriptorSet to the file `out`."""
    with _compiler() as (_, compile_):
        compile_(
            [f"--descriptor_set_out={out}", "--include_imports", "--include_source_info"],
            _contracts(),
        )


def generate(out: Path) -> None:
    """Write the generated packages below `out`, replacing earlier ones."""
    contracts = _contracts()
    with _compiler() as (scratch, compile_):
        target = scratch / "out"
        target.mkdir()
        compile_([f"--python_out={target}", f"--mypy_out=quiet:{target}"], [VALIDATE, *contracts])
        compile_(
            [f"--grpc_python_out={target}", f"--mypy_grpc_out=quiet:{target}"],
            [name for name in contracts if name.endswith("_service.proto")],
        )
        compile_(
            [
                f"--descriptor_set_out={target / DESCRIPTORS}",
                "--include_imports",
                "--include_source_info",
            ],
            contracts,
        )
        for name in GENERATED:
            package = target / name
            for directory in [package, *(path for path in package.rglob("*") if path.is_dir())]:
                (directory / "__init__.py").write_text('"""Generated; see protos/."""\n')
                (directory / "py.typed").touch()
            shutil.rmtree(out / name, ignore_errors=True)
            shutil.copytree(package, out / name)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT, help="where to put the packages")
    parser.add_argument("--describe", type=Path, help="write a descriptor set to this file instead")
    given = parser.parse_args()
    if given.describe:
        describe(given.describe)
    else:
        generate(given.out)


if __name__ == "__main__":
    main()
