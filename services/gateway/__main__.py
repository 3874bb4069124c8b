"""Run the gateway: `python -m services.gateway`."""

from services.chassis.app import main
from services.chassis.settings import load
from services.gateway.app import build
from services.gateway.settings import GatewaySettings

if __name__ == "__main__":
    main("gateway", load(GatewaySettings), build)
