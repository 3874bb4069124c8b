"""Generate Python code and type stubs from the contracts: `python -m protos.generate`.

The result lands in `spareline/` and `buf/` beside `protos/`; neither is committed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import sysconfig
import tempfile
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


def _run(arguments: list[str]) -> None:
    status = protoc.main(["protoc", *arguments])
    if status:
        sys.exit(f"protoc ended with {status}")


def generate(out: Path) -> None:
    """Write the generated packages below `out`, replacing earlier ones."""
    sources = sorted((ROOT / "protos").rglob("*.proto"))
    includes = [
        str(ROOT / "protos"),
        sysconfig.get_paths()["purelib"],
        str(resources.files("grpc_tools") / "_proto"),
    ]
    scripts = Path(sys.executable).parent
    plugins = [
        f"--plugin=protoc-gen-{name}={scripts / f'protoc-gen-{name}'}"
        for name in ("mypy", "mypy_grpc")
    ]
    with tempfile.TemporaryDirectory() as temporary:
        target = Path(temporary) / "out"
        target.mkdir()
        shipped = Path(temporary) / "shipped.binpb"
        shipped.write_bytes(_shipped_descriptors())
        common = [
            f"--descriptor_set_in={shipped}",
            *(f"--proto_path={path}" for path in includes),
            *plugins,
        ]
        messages = [f"--python_out={target}", f"--mypy_out={target}"]
        grpc = [f"--grpc_python_out={target}", f"--mypy_grpc_out={target}"]
        own = [str(path.relative_to(ROOT / "protos")) for path in sources]
        services = [p for p in own if p.endswith("_service.proto")]
        _run([*common, *messages, VALIDATE, *own])
        _run([*common, *grpc, *services])
        for name in GENERATED:
            for directory in [
                target / name,
                *(p for p in (target / name).rglob("*") if p.is_dir()),
            ]:
                (directory / "__init__.py").write_text('"""Generated; see protos/."""\n')
                (directory / "py.typed").touch()
            shutil.rmtree(out / name, ignore_errors=True)
            shutil.copytree(target / name, out / name)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT, help="where to put the packages")
    generate(parser.parse_args().out)


if __name__ == "__main__":
    main()
