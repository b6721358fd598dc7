"""Adapters for other frameworks, one module each; import the one you need.

    ragkit.integrations.langchain      a retriever and a tool         extra: langchain
    ragkit.integrations.llama_index    a retriever                    extra: llama-index
    ragkit.integrations.haystack       a component                    extra: haystack
    ragkit.integrations.openai         a tool's schema and handler    no extra: plain JSON values
    ragkit.integrations.anthropic      search_result blocks           no extra: plain JSON values

Install an extra with ``pip install 'ragkit-cited[langchain]'``.
"""
