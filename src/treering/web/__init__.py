"""The HTTP adapter: routes, authentication, static files."""
