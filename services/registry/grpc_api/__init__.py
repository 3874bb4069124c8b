"""The registry over gRPC: thin handlers over the use cases."""
