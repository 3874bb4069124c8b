"""What both ends of a call agree on."""

REQUEST_ID_KEY = "x-request-id"
MESSAGE_BYTES = 32 * 1024 * 1024
