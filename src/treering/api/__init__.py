"""The operations of treering as typed functions, used by web, command line and MCP alike."""
