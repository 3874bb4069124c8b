"""The command-line client of Spareline; it talks only gRPC."""
