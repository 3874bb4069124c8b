"""The services of the platform, and the chassis that they share."""
