"""The HTTP adapter: the only place that knows the web server."""
