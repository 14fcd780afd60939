"""The models as tools of language models, by the Model Context Protocol: the extra `mcp`.

Not Gradio's own server: that one fetches addresses and reads paths which a model may be talked into
naming. Here a picture is its bytes, and nothing is kept.
"""

from typing import Any, Final

from starlette.applications import Starlette

from demo.programs import MAX_BYTES, Busy, Programs
from demo.request import decode
from hub_models import ConfigError, HubModelsError

PATH: Final = "/mcp"
MAX_REQUEST_BYTES: Final = MAX_BYTES


def build_tools(programs: Programs) -> Starlette:
    """Make the application that serves the tools; its lifespan must run.

    Args:
        programs: Answer.

    Returns:
        An application with the one route `PATH`.

    Raises:
        ConfigError: If the extra is not installed.
    """
    try:
        from mcp.server.mcpserver import MCPServer
        from mcp.server.mcpserver.exceptions import ToolError
        from mcp.server.transport_security import TransportSecuritySettings
    except ImportError as error:
        raise ConfigError(
            "HUB_MODELS_DEMO_MCP: mcp is not installed; pip install '.[mcp]' brings it"
        ) from error

    server = MCPServer("hub_models", instructions="Classifies pictures with small networks.")

    async def ask(picture: str, *sources: str) -> dict[str, Any]:
        try:
            return programs.render(await programs.compare(decode(picture), sources))
        except (HubModelsError, Busy) as error:
            raise ToolError(str(error)) from error

    @server.tool()
    def models() -> list[str]:
        """List the models on offer. Any owner/name on the hub can be asked for as well."""
        return list(programs.service.choices)

    @server.tool()
    async def classify(picture: str, model: str) -> dict[str, Any]:
        """Say what one model makes of a picture, given as the base64 of its file (JPEG, PNG, …)."""
        return await ask(picture, model)

    @server.tool()
    async def compare(picture: str, first_model: str, second_model: str) -> dict[str, Any]:
        """Say what two models make of a picture (base64 of its file), and whether they agree."""
        return await ask(picture, first_model, second_model)

    return server.streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=MAX_REQUEST_BYTES,
        # The guard in front knows which hosts and origins may ask.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
