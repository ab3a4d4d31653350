"""LangChain and LangGraph under observation: `config={"callbacks": [TreeringCallback()]}`.

Runs in the user's program. Chains, agents, tools, retrievers and models become spans with the attributes of
OpenTelemetry's GenAI conventions, and go out by `treering.client`, which never blocks or breaks the program.
"""

try:
    import langchain_core  # noqa: F401
except ModuleNotFoundError as error:
    raise ImportError("treering.langchain needs langchain-core: pip install 'treering[langchain]'") from error

from treering.langchain.callback import TreeringCallback

__all__ = ["TreeringCallback"]
