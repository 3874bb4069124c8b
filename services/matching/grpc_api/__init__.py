"""The gRPC face of matching: thin handlers over the use cases."""
